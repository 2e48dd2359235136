#include "input.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace cli {
namespace {

constexpr const char* kUnreadable = "standard input cannot be read";

std::string everything(std::istream& in) {
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

}  // namespace

bool reserve_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1) continue;
    // The wrong way round, so that nobody takes it for an empty input or a place for output. open() takes the lowest free one.
    if (open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) return false;
  }
  return true;
}

void require_standard_input() {
  const int flags = fcntl(STDIN_FILENO, F_GETFL);
  if (flags == -1 || (flags & O_ACCMODE) == O_WRONLY) throw std::runtime_error(kUnreadable);
}

void check_standard_input() {
  if (ferror(stdin) != 0 && errno != EINTR) throw std::runtime_error(kUnreadable);
}

std::string read_file(const std::string& path) {
  if (path == "-") {
    require_standard_input();
    std::string content = everything(std::cin);
    check_standard_input();
    return content;
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + " cannot be opened");
  std::string content = everything(in);
  if (in.bad()) throw std::runtime_error(path + " cannot be read");
  return content;
}

}  // namespace cli
