#include "platform/os_file_system.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "support/check_error.hpp"

using namespace fathom;
using fathom::test::check_error;

namespace {

// A folder of its own for one test, removed at its end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "fathom-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string put(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string read(File& file, std::uint64_t offset, std::size_t bytes) {
  std::string out(bytes, '?');
  file.read_at(offset, std::as_writable_bytes(std::span(out)));
  return out;
}

}  // namespace

TEST_CASE("a file gives its size, its bytes at any offset, and the same bytes mapped") {
  TemporaryFolder folder;
  const std::string path = folder.put("a", "0123456789");
  const auto file = os_file_system().open(path);
  CHECK(file->path() == path);
  CHECK(file->size() == 10);
  CHECK(read(*file, 0, 10) == "0123456789");
  CHECK(read(*file, 9, 1) == "9");
  CHECK(read(*file, 10, 0).empty());
  const std::span<const std::byte> map = file->map();
  REQUIRE(map.size() == 10);
  CHECK(std::memcmp(map.data(), "0123456789", 10) == 0);
  CHECK(file->map().data() == map.data());
}

TEST_CASE("reading past the end is an error that names the file and the end") {
  TemporaryFolder folder;
  const auto file = os_file_system().open(folder.put("a", "0123456789"));
  check_error(Status::io_error, {file->path(), "end at 10"}, [&] { read(*file, 9, 2); });
  check_error(Status::io_error, {"end at 10"}, [&] { read(*file, 11, 0); });
  check_error(Status::io_error, {"end at 10"}, [&] { read(*file, ~std::uint64_t(0), 2); });
}

TEST_CASE("a file cut short after it was opened gives an error, not half a read") {
  TemporaryFolder folder;
  const std::string path = folder.put("a", "0123456789");
  const auto file = os_file_system().open(path);
  std::filesystem::resize_file(path, 4);
  check_error(Status::io_error, {path, "ends at byte 4"}, [&] { read(*file, 0, 10); });
}

TEST_CASE("an empty file opens and maps to nothing") {
  TemporaryFolder folder;
  const auto file = os_file_system().open(folder.put("empty", ""));
  CHECK(file->size() == 0);
  CHECK(file->map().empty());
}

TEST_CASE("what is missing is not_found, and what is no plain file is io_error") {
  TemporaryFolder folder;
  const std::string file = folder.put("a", "x");
  check_error(Status::not_found, {folder.path("b")}, [&] { os_file_system().open(folder.path("b")); });
  check_error(Status::not_found, {file + "/c"}, [&] { os_file_system().open(file + "/c"); });
  check_error(Status::io_error, {folder.path(), "not a regular file"}, [&] { os_file_system().open(folder.path()); });
  check_error(Status::not_found, {"zero byte"}, [&] { os_file_system().open(file + std::string(1, '\0') + "x"); });
}

TEST_CASE("a pipe is refused without waiting for a writer") {
  TemporaryFolder folder;
  REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  check_error(Status::io_error, {"not a regular file"}, [&] { os_file_system().open(folder.path("pipe")); });
}

TEST_CASE("files and directories are told apart, and a directory lists sorted plain names") {
  TemporaryFolder folder;
  const std::string b = folder.put("b", "x");
  folder.put("a", "x");
  std::filesystem::create_directory(folder.path("c"));
  FileSystem& files = os_file_system();
  CHECK(files.is_file(b));
  CHECK_FALSE(files.is_directory(b));
  CHECK(files.is_directory(folder.path("c")));
  CHECK_FALSE(files.is_file(folder.path("c")));
  CHECK_FALSE(files.is_file(folder.path("d")));
  CHECK_FALSE(files.is_directory(folder.path("d")));
  CHECK(files.list(folder.path()) == std::vector<std::string>{"a", "b", "c"});
  check_error(Status::not_found, {folder.path("d")}, [&] { files.list(folder.path("d")); });
}
