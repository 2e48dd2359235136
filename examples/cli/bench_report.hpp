// What `fathom bench` found, held against the machine, as a table or as JSON.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench_runs.hpp"
#include "ceilings.hpp"
#include "fathom/model.hpp"

namespace cli {

struct BenchReport {
  fathom::ModelInfo model;
  std::string format;                // that most of the weights are in
  std::int64_t cache_row_bytes = 0;  // of one token, all layers
  std::string isa;
  std::vector<Ceilings> ceilings;  // one for each number of threads; empty: not measured
  double load_ms = 0;
  std::map<int, std::string> streams;  // ModelInfo::streams by number of threads
  std::vector<BenchRun> runs;
  std::int64_t resident_bytes = 0, peak_resident_bytes = 0;
};

// A run in the terms of the machine. Shares are 0 where the ceiling is not known.
struct RunSpeed {
  double tokens_per_s = 0, least = 0, most = 0;  // median of the repetitions, and the extremes
  double weight_bytes_per_token = 0;             // read, of generation
  double cache_bytes_per_token = 0;              // likewise, on average over the tokens
  double gb_per_s = 0, share_of_reading = 0;
  double gop_per_s = 0, share_of_dots = 0;
};
RunSpeed speed_of(const BenchReport& report, const BenchRun& run);

// The dot products that a format's prompts are held against: "int8" for formats of quantised blocks, "bf16" where CPU and
// weights have it, else "f32".
std::string dot_kind(const BenchReport& report);

void print_heading(const BenchReport& report);  // all but the runs
void print_run(const BenchReport& report, const BenchRun& run);
void print_ending(const BenchReport& report);  // parts and memory
nlohmann::ordered_json to_json(const BenchReport& report);

}  // namespace cli
