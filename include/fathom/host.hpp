// Hooks of the host: memory, threads, files, a log. Each has a default, so an empty Host is complete.
//
// fathom calls them from threads that call fathom and from tasks of the task system, and from no other thread. Each object must
// outlive the Runtime that uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class MemoryPurpose : std::int32_t { weights = 0, cache = 1, scratch = 2, other = 3 };

// Memory of the host. Any thread calls it. `allocate` returns nullptr when there is no memory, and never throws.
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept = 0;
  virtual void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept = 0;
};

// Threads of the host, as fork and join.
class TaskSystem {
 public:
  virtual ~TaskSystem() = default;

  // How many tasks of one `run` may run at once; at least 1. Constant for the life of the object.
  virtual int concurrency() const noexcept = 0;

  // Calls function(context, i) once for each i in [0, count), on any threads and in any order, and returns after all have
  // returned. A serial loop is correct. The function does not throw and never calls run itself.
  virtual void run(int count, void (*function)(void* context, int index) noexcept, void* context) noexcept = 0;
};

class File {
 public:
  virtual ~File() = default;
  virtual const std::string& path() const noexcept = 0;
  virtual std::uint64_t size() const noexcept = 0;
  // Fills `out` from `offset`. Throws Error{io_error} when it cannot, or when the range passes the end of the file.
  virtual void read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
  // The whole file as readable memory that lives as long as this object, or an empty span when it cannot be mapped. Weights are
  // read from it for as long as a model is open, so all of it must stay readable and keep its bytes until then. (A map of an
  // operating system's file does so while nobody shortens or overwrites the file; deleting it and renaming another one to its
  // name are harmless.) See ModelOptions::read for files without this promise.
  virtual std::span<const std::byte> map() = 0;
  // Bytes that the file has now. Asked before mapped bytes are used: less than size() means that the end of the map cannot be
  // read any more.
  virtual std::uint64_t size_now() noexcept { return size(); }
  // Hint: pages of this range of the map may be evicted; they stay readable. Returns false where the file cannot do so. A range
  // of zero bytes only asks whether it can.
  virtual bool release(std::uint64_t, std::uint64_t) noexcept { return false; }
};

// Files of the host. Any thread calls it.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Throws Error{not_found} or Error{io_error}; the message names the path.
  virtual std::unique_ptr<File> open(const std::string& path) = 0;
  virtual bool is_directory(const std::string& path) = 0;
  virtual bool is_file(const std::string& path) = 0;
  // Names of a directory's entries, without the directory, sorted.
  virtual std::vector<std::string> list(const std::string& directory) = 0;
};

// A file in memory, named as it would be in a folder: "config.json", "model.safetensors", "weights.gguf".
struct MemoryFile {
  std::string name;
  std::span<const std::byte> bytes;
};

enum class LogLevel : std::int32_t { debug = 0, info = 1, warning = 2, error = 3 };

// The log of the host. Any thread calls it. Without a sink nothing is logged.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(LogLevel level, std::string_view message) noexcept = 0;
};

struct Host {
  Allocator* allocator = nullptr;  // null: the process heap
  TaskSystem* tasks = nullptr;     // null: the runtime's own pool
  FileSystem* files = nullptr;     // null: the operating system's files
  LogSink* log = nullptr;          // null: no log
};

}  // namespace fathom
