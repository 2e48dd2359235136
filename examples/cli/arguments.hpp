// The model of a command, and how to run it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "fathom/model.hpp"
#include "fathom/session.hpp"

namespace cli {

struct ModelArguments {
  std::string path;
  int threads = 0;
  std::string isa;
  std::string cache = "auto";
  std::string streams;

  enum class Threads { asked, left_out };
  void add_to(CLI::App& app, Threads threads = Threads::asked);
  fathom::RuntimeOptions runtime_options() const;
  fathom::CacheFormat cache_format() const;
};

// Bytes of so many values in a cache of a format that is not automatic.
std::int64_t cache_bytes(std::int64_t values, fathom::CacheFormat format);

}  // namespace cli
