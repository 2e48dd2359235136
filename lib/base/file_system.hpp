// How files are reached. The host may bring its own (pak files, encrypted assets); the default is the operating system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fathom {

class File {
 public:
  virtual ~File() = default;
  virtual const std::string& path() const noexcept = 0;
  virtual std::uint64_t size() const noexcept = 0;
  // Fills `out` from `offset`. Throws Error{io_error} when it cannot, also when the range passes the end.
  virtual void read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
  // The whole file as readable memory that lives as long as this object, or an empty span when it cannot be mapped.
  virtual std::span<const std::byte> map() = 0;
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Throws Error{not_found} or Error{io_error}; the message names the path.
  virtual std::unique_ptr<File> open(const std::string& path) = 0;
  virtual bool is_directory(const std::string& path) = 0;
  virtual bool is_file(const std::string& path) = 0;
  // Plain names of a directory's entries, sorted.
  virtual std::vector<std::string> list(const std::string& directory) = 0;
};

}  // namespace fathom
