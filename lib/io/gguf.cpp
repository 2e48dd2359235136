// The GGUF container, versions 2 and 3 (ggml's docs/gguf.md and gguf.cpp). Everything read is bounded by what remains of the
// file before anything is allocated or looped over.
#include "io/gguf.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <unordered_set>

#include "base/checked.hpp"
#include "base/error.hpp"

namespace fathom::io {
namespace {

enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

constexpr std::uint64_t kMinEntryBytes = 13;   // of metadata: key length, type, one byte of value
constexpr std::uint64_t kMinTensorBytes = 24;  // of tensor info: name length, dimensions, type, offset
constexpr std::uint64_t kMaxKeyBytes = 65535;
constexpr std::uint64_t kMaxStringBytes = 1u << 30;
// Of all arrays of a file together. A byte of file may become a Value of 40, so this bound, a tenfold of the largest
// vocabularies with their scores and merges, is far below the format's own 2^30.
constexpr std::uint64_t kMaxArrayValues = 1u << 24;
constexpr std::uint64_t kMaxTensorNameBytes = 63;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint32_t kDefaultAlignment = 32;

// GGUF's tensor types by id; `other` for retired and unknown ones.
constexpr std::array<StorageFormat, 43> kTensorTypes = [] {
  using enum StorageFormat;
  std::array<StorageFormat, 43> types{};
  types.fill(other);
  constexpr StorageFormat kFirst[] = {f32,   f16,    q4_0, q4_1, other, other,   q5_0,   q5_1,    q8_0,  q8_1,   q2_k,
                                      q3_k,  q4_k,   q5_k, q6_k, q8_k,  iq2_xxs, iq2_xs, iq3_xxs, iq1_s, iq4_nl, iq3_s,
                                      iq2_s, iq4_xs, i8,   i16,  i32,   i64,     f64,    iq1_m,   bf16};
  for (std::size_t id = 0; id < std::size(kFirst); ++id) types[id] = kFirst[id];
  types[34] = tq1_0;
  types[35] = tq2_0;
  types[39] = mxfp4;
  types[40] = nvfp4;
  types[41] = q1_0;
  types[42] = q2_0;
  return types;
}();

// Reads a file from its begin to its end, in chunks, and throws where it ends too early.
class Reader {
 public:
  explicit Reader(File& file) : file_(file) {}

  const std::string& path() const { return file_.path(); }
  std::uint64_t at() const { return at_; }
  std::uint64_t remaining() const { return file_.size() - at_; }

  void bytes(std::span<std::byte> out, std::string_view what) {
    if (out.size() > remaining()) {
      fail(Status::corrupt_file, "{}: {} takes {} bytes at byte {}, but the file ends {} bytes later; is it complete?", path(),
           what, out.size(), at_, remaining());
    }
    if (out.size() > kChunkBytes) {
      file_.read_at(at_, out);
    } else if (!out.empty()) {
      if (at_ < chunk_begin_ || at_ + out.size() > chunk_begin_ + chunk_.size()) load_chunk();
      std::memcpy(out.data(), chunk_.data() + (at_ - chunk_begin_), out.size());
    }
    at_ += out.size();
  }

  template <typename T>
  T number(std::string_view what) {
    static_assert(std::endian::native == std::endian::little, "GGUF's integers are read as they lie");
    T value;
    bytes(std::as_writable_bytes(std::span(&value, 1)), what);
    return value;
  }

  std::string string(std::uint64_t max_bytes, std::string_view what) {
    const std::uint64_t begin = at_;
    const auto length = number<std::uint64_t>(what);
    if (length > max_bytes || length > remaining()) {
      fail(Status::corrupt_file, "{}: {} at byte {} says it has {} bytes; {} are allowed and {} remain in the file", path(),
           what, begin, length, max_bytes, remaining());
    }
    std::string text(length, '\0');
    bytes(std::as_writable_bytes(std::span(text)), what);
    return text;
  }

 private:
  static constexpr std::size_t kChunkBytes = 256 << 10;

  void load_chunk() {
    chunk_.resize(std::size_t(std::min<std::uint64_t>(kChunkBytes, remaining())));
    chunk_begin_ = at_;
    file_.read_at(at_, chunk_);
  }

  File& file_;
  std::uint64_t at_ = 0;
  std::vector<std::byte> chunk_;
  std::uint64_t chunk_begin_ = 0;
};

struct Counts {
  std::uint32_t version;
  std::uint64_t tensors;
  std::uint64_t entries;
};

std::uint64_t read_count(Reader& in, std::uint64_t min_bytes, std::string_view what) {
  const std::uint64_t begin = in.at();
  const auto count = in.number<std::int64_t>(what);
  if (count < 0 || std::uint64_t(count) > in.remaining() / min_bytes) {
    fail(Status::corrupt_file, "{}: {} at byte {} is {}; the {} bytes that follow hold {} at most", in.path(), what, begin,
         count, in.remaining(), in.remaining() / min_bytes);
  }
  return std::uint64_t(count);
}

Counts read_preamble(Reader& in) {
  std::array<char, 4> magic;
  in.bytes(std::as_writable_bytes(std::span(magic)), "the magic 'GGUF'");
  if (std::string_view(magic.data(), 4) != "GGUF") {
    fail(Status::corrupt_file, "{}: not a GGUF file: its first four bytes are not 'GGUF'", in.path());
  }
  Counts counts;
  counts.version = in.number<std::uint32_t>("the version");
  if (counts.version != 0 && (counts.version & 0xffff) == 0) {
    fail(Status::unsupported, "{}: a big-endian GGUF file (version 0x{:08x} at byte 4); only little-endian ones are read",
         in.path(), counts.version);
  }
  if (counts.version != 2 && counts.version != 3) {
    fail(Status::unsupported, "{}: GGUF version {} at byte 4; versions 2 and 3 are read", in.path(), counts.version);
  }
  counts.tensors = read_count(in, kMinTensorBytes, "the number of tensors");
  counts.entries = read_count(in, kMinEntryBytes, "the number of metadata entries");
  return counts;
}

class MetadataReader {
 public:
  explicit MetadataReader(Reader& in) : in_(in) {}

  Value::Member entry() {
    const std::uint64_t begin = in_.at();
    std::string key = in_.string(kMaxKeyBytes, "a metadata key");
    if (key.empty()) fail(Status::corrupt_file, "{}: an empty metadata key at byte {}", in_.path(), begin);
    if (!keys_.insert(key).second) {
      fail(Status::corrupt_file, "{}: the metadata key '{}' at byte {} appears twice", in_.path(), key, begin);
    }
    const auto type = GgufType(in_.number<std::uint32_t>("a metadata type"));
    Value value = type == GgufType::array ? array(key) : scalar(type, key);
    if (key == "general.alignment") set_alignment(type, value);
    return {std::move(key), std::move(value)};
  }

  std::uint32_t alignment() const { return alignment_; }

 private:
  Value scalar(GgufType type, const std::string& key) {
    const std::uint64_t begin = in_.at();
    switch (type) {
      case GgufType::u8:
        return Value(std::int64_t(in_.number<std::uint8_t>(key)));
      case GgufType::i8:
        return Value(std::int64_t(in_.number<std::int8_t>(key)));
      case GgufType::u16:
        return Value(std::int64_t(in_.number<std::uint16_t>(key)));
      case GgufType::i16:
        return Value(std::int64_t(in_.number<std::int16_t>(key)));
      case GgufType::u32:
        return Value(std::int64_t(in_.number<std::uint32_t>(key)));
      case GgufType::i32:
        return Value(std::int64_t(in_.number<std::int32_t>(key)));
      case GgufType::i64:
        return Value(in_.number<std::int64_t>(key));
      case GgufType::u64:
        return unsigned_value(in_.number<std::uint64_t>(key));
      case GgufType::f32:
        return Value::floating(double(in_.number<float>(key)));
      case GgufType::f64:
        return Value::floating(in_.number<double>(key));
      case GgufType::boolean:
        return Value(in_.number<std::uint8_t>(key) != 0);
      case GgufType::string:
        return Value(in_.string(kMaxStringBytes, key));
      case GgufType::array:
        break;
    }
    refuse_type(type, key, begin);
  }

  [[noreturn]] void refuse_type(GgufType type, const std::string& key, std::uint64_t end) const {
    fail(Status::corrupt_file, "{}: metadata '{}': type {} before byte {}, expected 0 to 12, and no array in an array",
         in_.path(), key, std::uint32_t(type), end);
  }

  static Value unsigned_value(std::uint64_t v) { return v >> 63 ? Value(v) : Value(std::int64_t(v)); }

  Value array(const std::string& key) {
    const auto type = GgufType(in_.number<std::uint32_t>(key));
    const std::uint64_t begin = in_.at();
    if (type > GgufType::f64 || type == GgufType::array) refuse_type(type, key, begin);  // also of an array without values
    const auto count = in_.number<std::uint64_t>(key);
    const std::uint64_t fits = in_.remaining() / min_bytes(type);
    if (count > fits || count > kMaxArrayValues - array_values_) {
      fail(Status::corrupt_file,
           "{}: metadata '{}': array of {} at byte {}; the file has room for {}, and {} array values in all are allowed",
           in_.path(), key, count, begin, fits, kMaxArrayValues);
    }
    array_values_ += count;
    Value::Array values;
    values.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(scalar(type, key));
    return Value(std::move(values));
  }

  // Of one value.
  static std::uint64_t min_bytes(GgufType type) {
    switch (type) {
      case GgufType::u16:
      case GgufType::i16:
        return 2;
      case GgufType::u32:
      case GgufType::i32:
      case GgufType::f32:
        return 4;
      case GgufType::u64:
      case GgufType::i64:
      case GgufType::f64:
      case GgufType::string:
        return 8;
      default:
        return 1;
    }
  }

  void set_alignment(GgufType type, const Value& value) {
    const std::int64_t alignment = value.as_int().value_or(0);
    if (type != GgufType::u32 || !std::has_single_bit(std::uint64_t(alignment))) {
      fail(Status::corrupt_file, "{}: general.alignment is {} of type {}, expected a power of two of type 4 (u32)", in_.path(),
           describe(value), std::uint32_t(type));
    }
    alignment_ = std::uint32_t(alignment);
  }

  Reader& in_;
  std::unordered_set<std::string> keys_;
  std::uint64_t array_values_ = 0;
  std::uint32_t alignment_ = kDefaultAlignment;
};

std::vector<std::int64_t> read_shape(Reader& in, const std::string& where) {
  const auto dimensions = in.number<std::uint32_t>(where);
  if (dimensions > kMaxDimensions) {
    fail(Status::corrupt_file, "{}: {} dimensions before byte {}, at most {} allowed", where, dimensions, in.at(),
         kMaxDimensions);
  }
  std::vector<std::int64_t> shape(dimensions);
  std::uint64_t values = 1;
  for (auto dim = shape.rbegin(); dim != shape.rend(); ++dim) {  // the file has the innermost first
    *dim = in.number<std::int64_t>(where);
    if (*dim < 0) fail(Status::corrupt_file, "{}: dimension {} before byte {}", where, *dim, in.at());
    values = checked_multiply(values, std::uint64_t(*dim), where);
  }
  if (values >> 63) fail(Status::corrupt_file, "{}: {} values, 2^63-1 at most", where, values);
  return shape;
}

StorageFormat read_type(Reader& in, const std::string& where) {
  const auto id = in.number<std::uint32_t>(where);
  const StorageFormat format = id < kTensorTypes.size() ? kTensorTypes[id] : StorageFormat::other;
  if (format == StorageFormat::other) {
    fail(Status::unsupported, "{}: tensor type {} before byte {} is unknown, or retired, so the tensor's size cannot be told",
         where, id, in.at());
  }
  return format;
}

// `tensor.offset` is left relative to the data section, as the file gives it.
TensorInfo read_tensor(Reader& in, std::uint32_t part) {
  TensorInfo tensor;
  tensor.part = part;
  tensor.name = in.string(kMaxTensorNameBytes, "a tensor name");
  const std::string where = fmt::format("{}: tensor '{}'", in.path(), tensor.name);
  tensor.shape = read_shape(in, where);
  tensor.format = read_type(in, where);
  tensor.offset = in.number<std::uint64_t>(where);

  const StorageLayout& layout = storage_layout(tensor.format);
  tensor.type_name = layout.name;
  const std::uint64_t row = tensor.shape.empty() ? 1 : std::uint64_t(tensor.shape.back());
  if (row % layout.block_values != 0) {
    fail(Status::corrupt_file, "{}: rows of {} values are not whole blocks of {}, which {} has", where, row,
         layout.block_values, layout.name);
  }
  tensor.bytes = checked_multiply(std::uint64_t(tensor.values()) / layout.block_values, layout.block_bytes, where);
  return tensor;
}

std::uint64_t align(std::uint64_t offset, std::uint32_t alignment, std::string_view where) {
  return checked_add(offset, alignment - 1, where) & ~std::uint64_t(alignment - 1);
}

// Tensors lie one after the other in the order of their infos, each padded to the alignment; makes their offsets the file's.
void place_tensors(std::vector<TensorInfo>& tensors, const Reader& in, std::uint64_t file_bytes, std::uint32_t alignment) {
  const std::uint64_t data_begin = align(in.at(), alignment, in.path());
  std::uint64_t expected = 0;
  for (TensorInfo& tensor : tensors) {
    const std::string where = fmt::format("{}: tensor '{}'", in.path(), tensor.name);
    if (tensor.offset % alignment != 0) {
      fail(Status::corrupt_file, "{}: offset {} is no multiple of the alignment {}", where, tensor.offset, alignment);
    }
    if (tensor.offset != expected) {
      fail(Status::corrupt_file, "{}: offset {}, but the tensor before it ends at {}", where, tensor.offset, expected);
    }
    tensor.offset = checked_add(data_begin, tensor.offset, where);
    const std::uint64_t end = checked_add(tensor.offset, tensor.bytes, where);
    if (end > file_bytes) {
      fail(Status::corrupt_file, "{}: its {} bytes at byte {} pass the end of the file at {}; is it complete?", where,
           tensor.bytes, tensor.offset, file_bytes);
    }
    expected = align(end - data_begin, alignment, where);
  }
}

}  // namespace

GgufHeader read_gguf_header(File& file, std::uint32_t part) {
  Reader in(file);
  const Counts counts = read_preamble(in);
  GgufHeader header;
  header.version = counts.version;

  MetadataReader metadata(in);
  Value::Object entries;
  for (std::uint64_t i = 0; i < counts.entries; ++i) entries.push_back(metadata.entry());
  header.metadata = Value(std::move(entries));

  std::unordered_set<std::string_view> names;
  for (std::uint64_t i = 0; i < counts.tensors; ++i) header.tensors.push_back(read_tensor(in, part));
  for (const TensorInfo& tensor : header.tensors) {
    if (!names.insert(tensor.name).second) {
      fail(Status::corrupt_file, "{}: tensor '{}': the name appears twice", file.path(), tensor.name);
    }
  }
  place_tensors(header.tensors, in, file.size(), metadata.alignment());
  return header;
}

}  // namespace fathom::io
