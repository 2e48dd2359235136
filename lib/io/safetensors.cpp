// The safetensors container. The rules are those of the reference reader (safetensors/src/tensor.rs), whose error names
// stand in comments; duplicate names, of which it keeps one in silence, are refused.
#include "io/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <set>

#include "base/checked.hpp"
#include "base/error.hpp"
#include "io/folder.hpp"
#include "io/json.hpp"

namespace fathom::io {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr const char* kWholeModel = "model.safetensors";

struct DType {
  std::string_view name;
  std::uint32_t bits;
  StorageFormat format;
};

constexpr DType kDTypes[] = {
    {"BOOL", 8, StorageFormat::boolean},
    {"U8", 8, StorageFormat::u8},
    {"I8", 8, StorageFormat::i8},
    {"U16", 16, StorageFormat::u16},
    {"I16", 16, StorageFormat::i16},
    {"U32", 32, StorageFormat::u32},
    {"I32", 32, StorageFormat::i32},
    {"U64", 64, StorageFormat::u64},
    {"I64", 64, StorageFormat::i64},
    {"F16", 16, StorageFormat::f16},
    {"BF16", 16, StorageFormat::bf16},
    {"F32", 32, StorageFormat::f32},
    {"F64", 64, StorageFormat::f64},
    {"F8_E4M3", 8, StorageFormat::f8_e4m3},
    {"F8_E5M2", 8, StorageFormat::f8_e5m2},
    {"F8_E8M0", 8, StorageFormat::f8_e8m0},
    {"F4", 4, StorageFormat::f4_e2m1},
    // Sizes the format fixes, for which fathom has no use.
    {"F8_E4M3FNUZ", 8, StorageFormat::other},
    {"F8_E5M2FNUZ", 8, StorageFormat::other},
    {"F6_E2M3", 6, StorageFormat::other},
    {"F6_E3M2", 6, StorageFormat::other},
    {"C64", 64, StorageFormat::other},
};

const DType* find_dtype(std::string_view name) {
  const auto found = std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const DType& t) { return t.name == name; });
  return found == std::end(kDTypes) ? nullptr : found;
}

std::uint64_t read_header_length(File& file) {
  const std::uint64_t size = file.size();
  if (size < kLengthBytes) {  // HeaderTooSmall
    fail(Status::corrupt_file, "{}: {} bytes, but a safetensors file begins with an 8-byte header length", file.path(), size);
  }
  std::byte raw[kLengthBytes];
  file.read_at(0, raw);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) length |= std::to_integer<std::uint64_t>(raw[i]) << (8 * i);
  if (length > kMaxHeaderBytes) {  // HeaderTooLarge
    fail(Status::corrupt_file, "{}: header length {} at byte 0, at most {} allowed", file.path(), length, kMaxHeaderBytes);
  }
  if (length > size - kLengthBytes) {  // InvalidHeaderLength
    fail(Status::corrupt_file, "{}: header length {} at byte 0, but only {} bytes follow; is the file complete?", file.path(),
         length, size - kLengthBytes);
  }
  return length;
}

Value read_header(File& file, std::uint64_t length) {
  std::string text(length, '\0');
  file.read_at(kLengthBytes, std::as_writable_bytes(std::span(text)));
  const std::string origin = file.path() + " (header, which begins at byte 8)";
  if (!text.starts_with('{')) fail(Status::corrupt_file, "{}: expected '{{' as its first byte", origin);
  return parse_json(text, origin, /*refuse_duplicates=*/true);  // InvalidHeader, InvalidHeaderDeserialization
}

// The reference reader takes null as no metadata; null among its strings is none.
void check_metadata(const Value& metadata, const std::string& path) {
  if (metadata.is_null()) return;
  if (!metadata.is_object()) fail(Status::corrupt_file, "{}: {} is not an object", path, kMetadataKey);
  for (const auto& [key, value] : metadata.object()) {
    if (!value.is_string()) fail(Status::corrupt_file, "{}: {}: '{}' is not a string", path, kMetadataKey, key);
  }
}

std::vector<std::int64_t> read_shape(const Value& shape, std::string_view where) {
  if (!shape.is_array()) fail(Status::corrupt_file, "{}: no array 'shape'", where);
  std::vector<std::int64_t> dims;
  dims.reserve(shape.array().size());
  for (const Value& element : shape.array()) {
    const std::optional<std::int64_t> dim = element.written_int();
    if (!dim || *dim < 0) {
      fail(Status::corrupt_file, "{}: shape[{}] is {}, expected an integer from 0 to 2^63-1", where, dims.size(),
           describe(element));
    }
    dims.push_back(*dim);
  }
  return dims;
}

struct Range {
  std::uint64_t begin;
  std::uint64_t end;
};

Range read_data_offsets(const Value& offsets, std::string_view where) {
  const Value::Array& pair = offsets.array();
  if (pair.size() != 2) {
    fail(Status::corrupt_file, "{}: 'data_offsets' is {}, expected [begin, end]", where, describe(offsets));
  }
  const std::int64_t begin = pair[0].written_int().value_or(-1), end = pair[1].written_int().value_or(-1);
  if (begin < 0 || end < begin) {
    fail(Status::corrupt_file, "{}: 'data_offsets' is [{}, {}], expected integers [begin, end] with 0 <= begin <= end", where,
         describe(pair[0]), describe(pair[1]));
  }
  return {std::uint64_t(begin), std::uint64_t(end)};
}

void check_bytes(const TensorInfo& tensor, const DType& dtype, std::string_view where) {
  std::uint64_t bits = dtype.bits;
  for (const std::int64_t dim : tensor.shape) bits = checked_multiply(bits, std::uint64_t(dim), where);  // ValidationOverflow
  if (bits % 8 != 0) {                                                                                   // MisalignedSlice
    fail(Status::corrupt_file, "{}: {} bits of {} do not fill whole bytes", where, bits, tensor.type_name);
  }
  if (bits / 8 != tensor.bytes) {  // TensorInvalidInfo
    fail(Status::corrupt_file, "{}: its shape holds {} bytes of {}, its data_offsets {}", where, bits / 8, tensor.type_name,
         tensor.bytes);
  }
}

// `tensor.offset` is left relative to the data, as the header gives it.
TensorInfo read_tensor(const Value::Member& member, std::uint32_t part, const std::string& path) {
  TensorInfo tensor;
  tensor.name = member.first;
  const std::string where = fmt::format("{}: tensor '{}'", path, tensor.name);
  const Value& entry = member.second;
  const std::optional<std::string_view> dtype_name = entry["dtype"].as_string();
  if (!dtype_name) fail(Status::corrupt_file, "{}: no string 'dtype'", where);
  tensor.type_name = *dtype_name;
  tensor.shape = read_shape(entry["shape"], where);
  const Range range = read_data_offsets(entry["data_offsets"], where);
  tensor.part = part;
  tensor.offset = range.begin;
  tensor.bytes = range.end - range.begin;

  std::uint64_t values = 1;
  for (const std::int64_t dim : tensor.shape) values = checked_multiply(values, std::uint64_t(dim), where);
  if (values >> 63) fail(Status::corrupt_file, "{}: {} values, 2^63-1 at most", where, values);
  // The size of an unknown dtype cannot be checked; the tensor stays, and whoever needs it says so.
  if (const DType* dtype = find_dtype(tensor.type_name)) {
    tensor.format = dtype->format;
    check_bytes(tensor, *dtype, where);
  }
  return tensor;
}

// Tensors sorted by place must fill the data from end to end: no hole, no overlap, nothing before, nothing after.
void check_coverage(const std::vector<TensorInfo>& sorted, std::uint64_t data_bytes, const std::string& path) {
  std::uint64_t end = 0;
  for (const TensorInfo& tensor : sorted) {
    if (tensor.offset != end) {  // InvalidOffset
      fail(Status::corrupt_file, "{}: tensor '{}' begins at byte {} of the data, but the tensors before it end at {}", path,
           tensor.name, tensor.offset, end);
    }
    end += tensor.bytes;
  }
  if (end != data_bytes) {  // MetadataIncompleteBuffer
    fail(Status::corrupt_file, "{}: the tensors take {} bytes of data, but the file has {}; is the file complete?", path, end,
         data_bytes);
  }
}

// Names from an index go into paths, so they must stay in the folder.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\\:\0", 4)) == name.npos;
}

// Shards of an index with the tensors it expects in each.
using WeightMap = std::vector<std::pair<std::string_view, std::string_view>>;  // tensor, file

WeightMap read_weight_map(const Value& index, const std::string& path) {
  const Value& weight_map = index["weight_map"];
  if (!weight_map.is_object()) fail(Status::corrupt_file, "{}: no object 'weight_map'", path);
  WeightMap entries;
  entries.reserve(weight_map.object().size());
  for (const auto& [tensor, file] : weight_map.object()) {
    const std::optional<std::string_view> name = file.as_string();
    if (!name) fail(Status::corrupt_file, "{}: weight_map: the entry of '{}' is not a string", path, tensor);
    if (!is_plain_name(*name)) {
      fail(Status::corrupt_file, "{}: weight_map: the file '{}' of tensor '{}' is not a plain name in the same folder", path,
           *name, tensor);
    }
    entries.emplace_back(tensor, *name);
  }
  return entries;
}

std::unique_ptr<TensorSource> open_files(FileSystem& files, const std::string& folder, const std::vector<std::string>& names) {
  std::vector<std::unique_ptr<File>> parts;
  std::vector<TensorInfo> tensors;
  for (const std::string& name : names) {
    parts.push_back(files.open(join(folder, name)));
    std::vector<TensorInfo> found = read_safetensors_header(*parts.back(), std::uint32_t(parts.size() - 1));
    std::move(found.begin(), found.end(), std::back_inserter(tensors));
  }
  return std::make_unique<TensorSource>(std::move(parts), std::move(tensors));
}

std::unique_ptr<TensorSource> open_sharded(FileSystem& files, const std::string& folder, const std::string& index_path) {
  const Value index = parse_json(read_text(files, index_path), index_path, /*refuse_duplicates=*/true);
  const WeightMap weight_map = read_weight_map(index, index_path);
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map) names.emplace(file);
  for (const std::string& name : names) {
    if (files.is_file(join(folder, name))) continue;
    // An index that was left behind when its shards were merged.
    if (!names.contains(kWholeModel) && files.is_file(join(folder, kWholeModel))) {
      return open_files(files, folder, {kWholeModel});
    }
    fail(Status::not_found, "{}: no such file, but {} names it", join(folder, name), index_path);
  }
  auto source = open_files(files, folder, {names.begin(), names.end()});
  const std::vector<std::string> part_names(names.begin(), names.end());
  for (const auto& [tensor, file] : weight_map) {
    const TensorInfo* found = source->find(tensor);
    if (!found || part_names[found->part] != file) {
      fail(Status::corrupt_file, "{}: tensor '{}' should be in {}, which does not have it", index_path, tensor, file);
    }
  }
  return source;
}

// The only *.safetensors of a folder; other tools' consolidated* copies of the same weights do not count beside others.
std::string only_safetensors(FileSystem& files, const std::string& folder) {
  std::vector<std::string> names = files.list(folder);
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".safetensors"); });
  std::vector<std::string> chosen = names;
  std::erase_if(chosen, [](const std::string& name) { return name.starts_with("consolidated"); });
  if (chosen.empty()) chosen = names;
  if (chosen.size() == 1) return chosen.front();
  if (chosen.empty()) {
    fail(Status::not_found,
         "{}: no weights; expected model.safetensors.index.json, model.safetensors or one other *.safetensors", folder);
  }
  fail(Status::not_found,
       "{}: {} *.safetensors files, {} and {} among them, but no model.safetensors.index.json to say which belong together",
       folder, chosen.size(), chosen[0], chosen[1]);
}

}  // namespace

std::vector<TensorInfo> read_safetensors_header(File& file, std::uint32_t part) {
  const std::uint64_t header_bytes = read_header_length(file);
  const std::uint64_t data_begin = kLengthBytes + header_bytes;
  const Value header = read_header(file, header_bytes);
  std::vector<TensorInfo> tensors;
  tensors.reserve(header.object().size());
  for (const Value::Member& member : header.object()) {
    if (member.first == kMetadataKey) {
      check_metadata(member.second, file.path());
    } else {
      tensors.push_back(read_tensor(member, part, file.path()));
    }
  }
  // By end as well, so that a tensor of no bytes comes before the one that begins where it lies.
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  });
  check_coverage(tensors, file.size() - data_begin, file.path());
  for (TensorInfo& tensor : tensors) tensor.offset += data_begin;
  return tensors;
}

std::unique_ptr<TensorSource> open_safetensors_folder(FileSystem& files, const std::string& folder) {
  const std::string index = join(folder, "model.safetensors.index.json");
  if (files.is_file(index)) return open_sharded(files, folder, index);
  if (files.is_file(join(folder, kWholeModel))) return open_files(files, folder, {kWholeModel});
  return open_files(files, folder, {only_safetensors(files, folder)});
}

}  // namespace fathom::io
