// NumPy's .npy format, version 1.0: magic, header length, a Python dictionary padded to 64 bytes, the values.
#include "npy.hpp"

#include <bit>
#include <filesystem>
#include <stdexcept>

namespace cli {
namespace {

static_assert(std::endian::native == std::endian::little, "the header says little-endian");

std::string header(std::int64_t rows, std::int64_t columns) {
  std::string dictionary =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " + std::to_string(columns) + "), }";
  constexpr std::size_t kPrefix = 10;  // magic, version, length
  dictionary.append(63 - (kPrefix + dictionary.size()) % 64, ' ');
  dictionary += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dictionary.size() & 0xff);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

}  // namespace

NpyWriter::NpyWriter(const std::string& path, std::int64_t rows, std::int64_t columns)
    : path_(path), out_(path, std::ios::binary | std::ios::trunc), rows_left_(rows), columns_(columns) {
  if (!out_) throw std::runtime_error(path + " cannot be written");
  out_ << header(rows, columns);
}

NpyWriter::~NpyWriter() {
  if (finished_) return;
  out_.close();
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path_, ignored)) std::filesystem::remove(path_, ignored);
}

void NpyWriter::write_row(std::span<const float> row) {
  if (rows_left_ == 0 || static_cast<std::int64_t>(row.size()) != columns_) {
    throw std::logic_error("a row that " + path_ + " has no place for");
  }
  out_.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size_bytes()));
  --rows_left_;
}

void NpyWriter::finish() {
  out_.close();
  if (!out_ || rows_left_ != 0) throw std::runtime_error(path_ + " could not be written completely");
  finished_ = true;
}

}  // namespace cli
