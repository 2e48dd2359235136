// safetensors: text that begins with '{' is the index of a folder with two small shards, and, where its length is odd, a whole
// model beside them; anything else is a file.
#include "fathom/error.hpp"
#include "fuzz/tensor_oracle.hpp"
#include "io/safetensors.hpp"
#include "support/memory_files.hpp"
#include "support/safetensors_writer.hpp"

namespace {

std::string shard(std::string_view tensor) {
  fathom::test::SafetensorsWriter writer;
  writer.add(tensor, "U8", {2}, std::string_view("xy"));
  return writer.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string content(reinterpret_cast<const char*>(data), size);
  fathom::test::MemoryFileSystem files;
  if (content.starts_with('{')) {
    if (content.size() % 2 == 1) files.put("f/model.safetensors", shard("whole"));
    files.put("f/model.safetensors.index.json", std::move(content));
    files.put("f/1.safetensors", shard("a"));
    files.put("f/2.safetensors", shard("b"));
  } else {
    files.put("f/model.safetensors", std::move(content));
  }
  try {
    fathom::fuzz::check_tensors(*fathom::io::open_safetensors_folder(files, "f"));
  } catch (const fathom::Error& error) {
    fathom::fuzz::require(!error.message().empty() && error.status() != fathom::Status::internal);
  }
  return 0;
}
