// Writes a float32 matrix as a NumPy .npy file, row by row.
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>

namespace cli {

class NpyWriter {
 public:
  // Throws when the file cannot be created.
  NpyWriter(const std::string& path, std::int64_t rows, std::int64_t columns);
  // Without a finish() that succeeded, no half a file stays behind.
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  void write_row(std::span<const float> row);
  // Throws when not every row arrived on the disk.
  void finish();

 private:
  std::string path_;
  std::ofstream out_;
  std::int64_t rows_left_;
  std::int64_t columns_;
  bool finished_ = false;
};

}  // namespace cli
