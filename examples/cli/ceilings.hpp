// What this machine can do at most: reading memory, and multiplying from registers. Measured speeds are held against it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

// A rate, repeatedly measured; 0 where it was not.
struct Rate {
  double best = 0;
  double median = 0;
};

struct Ceilings {
  int threads = 0;
  Rate read_gb_per_s;
  Rate int8_gop_per_s, bf16_gop_per_s, f32_gop_per_s;  // a multiply-add is two
};

// The instructions behind the rates; empty: not measured on this CPU.
struct DotInstructions {
  std::string int8, bf16, f32;
};
DotInstructions dot_instructions();

// GB a second that one thread reads from a first-level cache; in this process.
Rate measure_cached_reading();

// For each number of threads. `buffer_bytes` is read for the bandwidth: many times the caches, on large pages where the system
// has them; less is taken when little memory is free. Runs in a child process, so that this one's memory stays its own. Throws
// when it cannot be run.
std::vector<Ceilings> measure_ceilings(const std::vector<int>& threads, std::int64_t buffer_bytes);

}  // namespace cli
