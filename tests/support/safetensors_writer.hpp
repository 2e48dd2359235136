// Writes safetensors files for tests. Checks nothing, so that tests can write what no reader should accept.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

// The bytes of a file from its parts: length, header text as given, data.
inline std::string safetensors_file(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(header).append(data);
}

class SafetensorsWriter {
 public:
  // Names and dtypes go into the header as they are: no quotes or backslashes in them.
  void add(std::string_view name, std::string_view dtype, const std::vector<std::int64_t>& shape, std::string_view bytes) {
    std::string dims;
    for (const std::int64_t dim : shape) dims.append(dims.empty() ? "" : ",").append(std::to_string(dim));
    add_entry(name, "{\"dtype\":\"" + std::string(dtype) + "\",\"shape\":[" + dims + "],\"data_offsets\":[" +
                        std::to_string(data_.size()) + "," + std::to_string(data_.size() + bytes.size()) + "]}");
    data_.append(bytes);
  }
  void add(std::string_view name, std::string_view dtype, const std::vector<std::int64_t>& shape,
           std::span<const std::byte> bytes) {
    add(name, dtype, shape, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  // A header entry whose JSON value the test spells itself.
  void add_entry(std::string_view name, std::string_view json) {
    if (!header_.empty()) header_ += ',';
    header_.append("\"").append(name).append("\":").append(json);
  }

  std::string finish() const {
    std::string header = "{" + header_ + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');  // as the reference writer pads it
    return safetensors_file(header, data_);
  }

 private:
  std::string header_;
  std::string data_;
};

}  // namespace fathom::test
