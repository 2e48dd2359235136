#include "platform/os_file_system.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "platform/unmapped_files.hpp"
#include "support/check_error.hpp"
#include "support/temporary_folder.hpp"

using namespace fathom;
using fathom::test::check_error;
using fathom::test::TemporaryFolder;

namespace {

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
  check_error(Status::io_error, {folder.path(), "a directory", "not a regular file"},
              [&] { os_file_system().open(folder.path()); });
  check_error(Status::not_found, {"zero byte"}, [&] { os_file_system().open(file + std::string(1, '\0') + "x"); });
}

TEST_CASE("what is no regular file is refused by what it is, without waiting for a writer") {
  TemporaryFolder folder;
  const std::string pipe = folder.path("pipe"), socket_path = folder.path("socket");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(socket_path.size() < sizeof address.sun_path);
  std::strcpy(address.sun_path, socket_path.c_str());
  REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(listener);
  std::filesystem::create_symlink(pipe, folder.path("link"));
  const std::pair<std::string, std::string_view> cases[] = {{pipe, "a pipe (FIFO)"},
                                                            {folder.path("link"), "a pipe (FIFO)"},
                                                            {socket_path, "a socket"},
                                                            {"/dev/null", "a character device"}};
  for (const auto& [path, kind] : cases) {
    CAPTURE(path);
    check_error(Status::io_error, {path, kind, "not a regular file"}, [&, &at = path] { os_file_system().open(at); });
    check_error(Status::io_error, {path, kind, "not a regular file"}, [&, &at = path] { os_file_system().is_file(at); });
    CHECK_FALSE(os_file_system().is_directory(path));
  }
}

TEST_CASE("a path that cannot be looked at is an error with the system's reason") {
  TemporaryFolder folder;
  const std::string loop = folder.path("loop");
  std::filesystem::create_symlink(loop, loop);
  check_error(Status::io_error, {loop}, [&] { os_file_system().is_file(loop); });
  check_error(Status::io_error, {"too long"}, [&] { os_file_system().is_file(folder.path(std::string(300, 'x'))); });
}

TEST_CASE("an open file tells its length now") {
  TemporaryFolder folder;
  const std::string path = folder.put("a", "0123456789");
  const auto file = os_file_system().open(path);
  CHECK(file->size_now() == 10);
  std::filesystem::resize_file(path, 4);
  CHECK(file->size_now() == 4);
  CHECK(file->size() == 10);
  std::filesystem::resize_file(path, 12);
  CHECK(file->size_now() == 12);
  std::filesystem::remove(path);
  CHECK(file->size_now() == 12);  // the file lives on without its name
}

TEST_CASE("files without maps read as they did") {
  TemporaryFolder folder;
  folder.put("a", "0123456789");
  UnmappedFiles files(os_file_system());
  const auto file = files.open(folder.path("a"));
  CHECK(file->path() == folder.path("a"));
  CHECK(file->size() == 10);
  CHECK(file->size_now() == 10);
  CHECK(read(*file, 3, 4) == "3456");
  CHECK(file->map().empty());
  CHECK_FALSE(file->release(0, 0));
  CHECK(files.is_file(folder.path("a")));
  CHECK(files.is_directory(folder.path()));
  CHECK(files.list(folder.path()) == std::vector<std::string>{"a"});
  check_error(Status::not_found, {folder.path("b")}, [&] { files.open(folder.path("b")); });
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
