// A safetensors or GGUF file taken apart into tensors, and put together again: so that a fuzzer can change what a file holds
// and keep the file well-formed.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/error.hpp"
#include "io/gguf.hpp"
#include "io/safetensors.hpp"
#include "support/gguf_writer.hpp"
#include "support/memory_files.hpp"
#include "support/safetensors_writer.hpp"

namespace fathom::fuzz {

class TensorFile {
 public:
  struct Tensor {
    std::string name;
    StorageFormat format;
    std::string type_name;  // as safetensors writes it
    std::vector<std::int64_t> shape;
    std::string bytes;
  };

  // Nothing where the content is no such file.
  static std::optional<TensorFile> read(const std::string& content) {
    try {
      return TensorFile(content);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  std::string write() const {
    if (!gguf_) {
      test::SafetensorsWriter out;
      for (const Tensor& tensor : tensors) out.add(tensor.name, tensor.type_name, tensor.shape, tensor.bytes);
      return out.finish();
    }
    test::ByteSink out;
    out.bytes = "GGUF";
    out.bytes.append(preamble_.substr(4, 4));
    out.number(std::uint64_t(tensors.size()));
    out.bytes.append(preamble_.substr(16));  // the number of entries, and the entries
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors) {
      out.string(tensor.name);
      out.number(std::uint32_t(tensor.shape.size()));
      for (auto dim = tensor.shape.rbegin(); dim != tensor.shape.rend(); ++dim) out.number(*dim);
      out.number(test::gguf_type_id(tensor.format));
      out.number(offset);
      offset += (tensor.bytes.size() + kAlignment - 1) / kAlignment * kAlignment;
    }
    out.pad(kAlignment);
    for (const Tensor& tensor : tensors) {
      out.bytes.append(tensor.bytes);
      out.pad(kAlignment);
    }
    return out.bytes;
  }

  // The n-th storage format that the container has and whose blocks fit the tensor's rows. The old bytes, over and over, become
  // the new ones.
  void change_format(Tensor& tensor, std::size_t n) const {
    using enum StorageFormat;
    static constexpr StorageFormat kPlain[] = {f32, f16, bf16, f64, f8_e4m3, u8, i8, i32, i64, f8_e5m2};
    static constexpr StorageFormat kGguf[] = {f32,  f16,  bf16, q4_0, q4_1, q5_0,   q5_1,   q8_0,  q2_k,
                                              q3_k, q4_k, q5_k, q6_k, q8_k, iq4_nl, iq4_xs, mxfp4, i8};
    static constexpr std::string_view kNames[] = {"F32", "F16", "BF16", "F64", "F8_E4M3", "U8", "I8", "I32", "I64", "F8_E5M2"};
    const std::size_t row = tensor.shape.empty() ? 1 : std::size_t(tensor.shape.back());
    const std::size_t choice = n % (gguf_ ? std::size(kGguf) : std::size(kPlain));
    const StorageFormat format = gguf_ ? kGguf[choice] : kPlain[choice];
    const StorageLayout& layout = storage_layout(format);
    if (row % layout.block_values != 0 || tensor.bytes.empty()) return;
    std::size_t values = 1;
    for (const std::int64_t dim : tensor.shape) values *= std::size_t(dim);
    const std::size_t size = values / layout.block_values * layout.block_bytes;
    while (tensor.bytes.size() < size) tensor.bytes += tensor.bytes.substr(0, size - tensor.bytes.size());
    tensor.bytes.resize(size);
    tensor.format = format;
    if (!gguf_) tensor.type_name = kNames[choice];
  }

  std::vector<Tensor> tensors;

 private:
  static constexpr std::size_t kAlignment = 32;

  explicit TensorFile(const std::string& content) : gguf_(content.starts_with("GGUF")) {
    test::MemoryFileSystem files;
    files.put("file", content);
    const auto file = files.open("file");
    const std::vector<io::TensorInfo> infos =
        gguf_ ? io::read_gguf_header(*file, 0).tensors : io::read_safetensors_header(*file, 0);
    for (const io::TensorInfo& info : infos) {
      tensors.push_back({info.name, info.format, info.type_name, info.shape, content.substr(info.offset, info.bytes)});
    }
    if (!gguf_) return;
    // Metadata ends where the first tensor's name begins.
    test::ByteSink first;
    if (!tensors.empty()) first.string(tensors.front().name);
    const std::size_t end = tensors.empty() ? content.size() : content.find(first.bytes, 24);
    preamble_ = content.substr(0, end);
  }

  bool gguf_;
  std::string preamble_;  // of GGUF: magic, version, counts, metadata
};

}  // namespace fathom::fuzz
