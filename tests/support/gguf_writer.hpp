// Writes GGUF files for tests: metadata of every type, tensors of any type from their raw bytes, one file or a split series.
// Checks nothing, so that tests can write what no reader should accept.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/storage_format.hpp"

namespace fathom::test {

enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

// The type id that GGUF gives a storage format; 0xffffffff for those it has none for.
inline std::uint32_t gguf_type_id(StorageFormat format) {
  using enum StorageFormat;
  static constexpr std::pair<StorageFormat, std::uint32_t> kIds[] = {
      {f32, 0},      {f16, 1},     {q4_0, 2},     {q4_1, 3},   {q5_0, 6},    {q5_1, 7},   {q8_0, 8},
      {q8_1, 9},     {q2_k, 10},   {q3_k, 11},    {q4_k, 12},  {q5_k, 13},   {q6_k, 14},  {q8_k, 15},
      {iq2_xxs, 16}, {iq2_xs, 17}, {iq3_xxs, 18}, {iq1_s, 19}, {iq4_nl, 20}, {iq3_s, 21}, {iq2_s, 22},
      {iq4_xs, 23},  {i8, 24},     {i16, 25},     {i32, 26},   {i64, 27},    {f64, 28},   {iq1_m, 29},
      {bf16, 30},    {tq1_0, 34},  {tq2_0, 35},   {mxfp4, 39}, {nvfp4, 40},  {q1_0, 41},  {q2_0, 42}};
  for (const auto& [known, id] : kIds) {
    if (known == format) return id;
  }
  return 0xffffffffu;
}

// Little-endian bytes, appended to a string. Test machines are little-endian.
class ByteSink {
 public:
  template <typename T>
  void number(T value)
    requires std::is_arithmetic_v<T>
  {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes.append(raw, sizeof(T));
  }
  void string(std::string_view text) {
    number(std::uint64_t(text.size()));
    bytes.append(text);
  }
  void pad(std::size_t alignment) { bytes.resize((bytes.size() + alignment - 1) / alignment * alignment); }

  std::string bytes;
};

class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t alignment = 32, std::uint32_t version = 3) : alignment_(alignment), version_(version) {
    if (alignment != 32) add("general.alignment", alignment);
  }

  // Metadata. The C++ type of the value chooses the GGUF type: std::uint32_t(3), 1.5f, true, std::string_view...
  template <typename T>
  void add(std::string_view key, const T& value) {
    begin_entry(key, type_of<T>());
    put(metadata_, value);
  }
  template <typename T>
  void add_array(std::string_view key, std::span<const T> values) {
    begin_entry(key, GgufType::array);
    metadata_.number(std::uint32_t(type_of<T>()));
    metadata_.number(std::uint64_t(values.size()));
    for (const T& value : values) put(metadata_, value);
  }
  template <typename T>
  void add_array(std::string_view key, const std::vector<T>& values) {
    add_array(key, std::span<const T>(values));
  }
  // An entry whose value bytes the test spells itself.
  void add_raw(std::string_view key, std::uint32_t type, std::string_view value_bytes) {
    begin_entry(key, GgufType(type));
    metadata_.bytes.append(value_bytes);
  }

  // A tensor; `shape` outermost dimension first, as everywhere in fathom (written innermost first, as GGUF has it).
  void add_tensor(std::string_view name, StorageFormat format, std::vector<std::int64_t> shape, std::string_view bytes) {
    add_tensor(name, gguf_type_id(format), std::move(shape), bytes);
  }
  void add_tensor(std::string_view name, std::uint32_t type_id, std::vector<std::int64_t> shape, std::string_view bytes) {
    tensors_.push_back({std::string(name), type_id, std::move(shape), std::string(bytes)});
  }
  void add_tensor(std::string_view name, StorageFormat format, std::vector<std::int64_t> shape,
                  std::span<const std::byte> bytes) {
    add_tensor(name, format, std::move(shape), std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

  // The whole file.
  std::string finish() const { return file(metadata_.bytes, metadata_count_, tensors_); }

  // The same model as `parts` files, for names from split_name(): metadata in the first, tensors spread in order.
  std::vector<std::string> finish_split(int parts) const {
    std::vector<std::string> files;
    const std::size_t share = (tensors_.size() + std::size_t(parts) - 1) / std::size_t(parts);
    for (int part = 0; part < parts; ++part) {
      GgufWriter head;
      if (part == 0) {
        head.metadata_ = metadata_;
        head.metadata_count_ = metadata_count_;
      } else if (alignment_ != 32) {
        head.add("general.alignment", alignment_);
      }
      head.add("split.no", std::uint16_t(part));
      head.add("split.count", std::uint16_t(parts));
      head.add("split.tensors.count", std::int32_t(tensors_.size()));
      const std::size_t first = std::min(tensors_.size(), share * std::size_t(part));
      const std::size_t last = std::min(tensors_.size(), first + share);
      files.push_back(file(head.metadata_.bytes, head.metadata_count_, std::span(tensors_).subspan(first, last - first)));
    }
    return files;
  }

  // "base-00001-of-00003.gguf" for part 0 of 3.
  static std::string split_name(const std::string& base, int part, int parts) {
    auto five = [](int number) {
      std::string digits = std::to_string(number);
      return std::string(5 - digits.size(), '0') + digits;
    };
    return base + "-" + five(part + 1) + "-of-" + five(parts) + ".gguf";
  }

 private:
  struct Tensor {
    std::string name;
    std::uint32_t type_id;
    std::vector<std::int64_t> shape;
    std::string bytes;
  };

  template <typename T>
  static constexpr GgufType type_of() {
    if constexpr (std::is_same_v<T, bool>)
      return GgufType::boolean;
    else if constexpr (std::is_same_v<T, std::uint8_t>)
      return GgufType::u8;
    else if constexpr (std::is_same_v<T, std::int8_t>)
      return GgufType::i8;
    else if constexpr (std::is_same_v<T, std::uint16_t>)
      return GgufType::u16;
    else if constexpr (std::is_same_v<T, std::int16_t>)
      return GgufType::i16;
    else if constexpr (std::is_same_v<T, std::uint32_t>)
      return GgufType::u32;
    else if constexpr (std::is_same_v<T, std::int32_t>)
      return GgufType::i32;
    else if constexpr (std::is_same_v<T, std::uint64_t>)
      return GgufType::u64;
    else if constexpr (std::is_same_v<T, std::int64_t>)
      return GgufType::i64;
    else if constexpr (std::is_same_v<T, float>)
      return GgufType::f32;
    else if constexpr (std::is_same_v<T, double>)
      return GgufType::f64;
    else {
      static_assert(std::is_convertible_v<T, std::string_view>, "GGUF has no type for this");
      return GgufType::string;
    }
  }

  template <typename T>
  static void put(ByteSink& sink, const T& value) {
    if constexpr (std::is_same_v<T, bool>)
      sink.number(std::uint8_t(value));
    else if constexpr (std::is_arithmetic_v<T>)
      sink.number(value);
    else
      sink.string(value);
  }

  void begin_entry(std::string_view key, GgufType type) {
    ++metadata_count_;
    metadata_.string(key);
    metadata_.number(std::uint32_t(type));
  }

  std::string file(std::string_view metadata, std::uint64_t metadata_count, std::span<const Tensor> tensors) const {
    ByteSink out;
    out.bytes = "GGUF";
    out.number(version_);
    out.number(std::uint64_t(tensors.size()));
    out.number(metadata_count);
    out.bytes.append(metadata);
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors) {
      out.string(tensor.name);
      out.number(std::uint32_t(tensor.shape.size()));
      for (auto dim = tensor.shape.rbegin(); dim != tensor.shape.rend(); ++dim) out.number(*dim);
      out.number(tensor.type_id);
      out.number(offset);
      offset += (tensor.bytes.size() + alignment_ - 1) / alignment_ * alignment_;
    }
    out.pad(alignment_);
    for (const Tensor& tensor : tensors) {
      out.bytes.append(tensor.bytes);
      out.pad(alignment_);
    }
    return std::move(out.bytes);
  }

  std::uint32_t alignment_;
  std::uint32_t version_;
  ByteSink metadata_;
  std::uint64_t metadata_count_ = 0;
  std::vector<Tensor> tensors_;
};

}  // namespace fathom::test
