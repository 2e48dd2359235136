// write_gguf FOLDER FORMAT FILE: a Hugging Face folder as a GGUF file with matrices in FORMAT (f32, f16, q8_0, q4_k, ...), for
// tests that run the command-line tool. The file has no tokenizer.
#include <cstdio>
#include <exception>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/gguf_convert.hpp"

namespace {

fathom::StorageFormat format_named(std::string_view name) {
  using enum fathom::StorageFormat;
  for (const auto& [known, format] : {std::pair{"f32", f32}, {"f16", f16}, {"q8_0", q8_0}, {"q6_k", q6_k}, {"q4_k", q4_k}}) {
    if (name == known) return format;
  }
  throw std::runtime_error("no format " + std::string(name));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: write_gguf FOLDER FORMAT FILE\n");
    return 2;
  }
  try {
    const auto content = fathom::test::convert_to_gguf(arguments[1], {.matrices = format_named(arguments[2])}).finish();
    std::ofstream out(arguments[3], std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(content.data()), std::streamsize(content.size()));
    out.close();
    if (!out) throw std::runtime_error(std::string(arguments[3]) + " cannot be written");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_gguf: %s\n", error.what());
    return 1;
  }
}
