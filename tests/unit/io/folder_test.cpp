#include "io/folder.hpp"

#include <doctest/doctest.h>

#include "support/check_error.hpp"
#include "support/memory_files.hpp"

using namespace fathom;

TEST_CASE("paths join with one slash, and a path's folder is what stands before the last one") {
  CHECK(io::join("a/b", "c") == "a/b/c");
  CHECK(io::join("a/b/", "c") == "a/b/c");
  CHECK(io::join("/", "c") == "/c");
  CHECK(io::folder_of("a/b/c") == "a/b");
  CHECK(io::folder_of("/c") == "/");
  CHECK(io::folder_of("c") == ".");
}

TEST_CASE("a text is read whole, an absurdly large one refused before any memory is taken") {
  class HugeFile final : public File {
   public:
    const std::string& path() const noexcept override { return path_; }
    std::uint64_t size() const noexcept override { return ~std::uint64_t(0); }
    void read_at(std::uint64_t, std::span<std::byte>) override { FAIL("read"); }
    std::span<const std::byte> map() override { return {}; }

   private:
    std::string path_ = "huge.json";
  };
  class HugeFileSystem final : public FileSystem {
   public:
    std::unique_ptr<File> open(const std::string&) override { return std::make_unique<HugeFile>(); }
    bool is_directory(const std::string&) override { return false; }
    bool is_file(const std::string&) override { return true; }
    std::vector<std::string> list(const std::string&) override { return {}; }
  };
  test::MemoryFileSystem files;
  files.put("a", std::string("x\0y", 3));
  CHECK(io::read_text(files, "a") == std::string("x\0y", 3));
  HugeFileSystem huge;
  test::check_error(Status::corrupt_file, {"huge.json", "18446744073709551615"}, [&] { io::read_text(huge, "huge.json"); });
}
