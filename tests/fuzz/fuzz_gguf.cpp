// GGUF: the bytes are the first file of what may be a series of two, whose second is there.
#include "fathom/error.hpp"
#include "fuzz/tensor_oracle.hpp"
#include "io/gguf.hpp"
#include "support/gguf_writer.hpp"
#include "support/memory_files.hpp"

namespace {

std::string second_part() {
  fathom::test::GgufWriter writer;
  writer.add("split.no", std::uint16_t(1));
  writer.add("split.count", std::uint16_t(2));
  writer.add_tensor("second", fathom::StorageFormat::i8, {2}, std::string_view("xy"));
  return writer.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fathom::test::MemoryFileSystem files;
  files.put("m-00001-of-00002.gguf", std::string(reinterpret_cast<const char*>(data), size));
  files.put("m-00002-of-00002.gguf", second_part());
  try {
    fathom::fuzz::check_tensors(*fathom::io::open_gguf(files, "m-00001-of-00002.gguf").tensors);
  } catch (const fathom::Error& error) {
    fathom::fuzz::require(!error.message().empty() && error.status() != fathom::Status::internal);
  }
  return 0;
}
