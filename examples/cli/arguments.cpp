#include "arguments.hpp"

#include "limits.hpp"

namespace cli {

void ModelArguments::add_to(CLI::App& app, Threads asked) {
  app.add_option("MODEL", path, "Hugging Face folder or .gguf file")->required();
  if (asked == Threads::asked) {
    app.add_option("--threads", threads, "Threads; 0: one for each core this process may use")
        ->check(integer(0, kMostThreads))
        ->capture_default_str();
  }
  app.add_option("--isa", isa, "Instruction set to use at most")
      ->check(CLI::IsMember({"scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"}));
  app.add_option(
      "--streams", streams,
      "How weights are prefetched: a text that `fathom bench` printed, or builtin; by default timed when the model opens");
  app.add_option("--cache", cache, "Number format of the key-value cache")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "q8_0"}))
      ->capture_default_str();
}

fathom::RuntimeOptions ModelArguments::runtime_options() const {
  fathom::RuntimeOptions options;
  options.threads = threads;
  options.isa_limit = isa;
  options.streams = streams;
  return options;
}

std::int64_t cache_bytes(std::int64_t values, fathom::CacheFormat format) {
  if (format == fathom::CacheFormat::f32) return values * 4;
  return format == fathom::CacheFormat::q8_0 ? values / 32 * 34 : values * 2;
}

fathom::CacheFormat ModelArguments::cache_format() const {
  if (cache == "f32") return fathom::CacheFormat::f32;
  if (cache == "f16") return fathom::CacheFormat::f16;
  if (cache == "bf16") return fathom::CacheFormat::bf16;
  if (cache == "q8_0") return fathom::CacheFormat::q8_0;
  return fathom::CacheFormat::automatic;
}

}  // namespace cli
