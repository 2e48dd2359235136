#include "bench/kernel_limits.hpp"

#include <time.h>

#include <algorithm>

#include "ceilings.hpp"

namespace fathom::bench {
namespace {

struct Limits {
  double memory = 0, cached = 0, f32 = 0, int8 = 0, bf16 = 0;  // a second; 0: not measured
};

const Limits& limits() {
  static const Limits measured = [] {
    const cli::Ceilings c = cli::measure_ceilings({1}, std::int64_t{512} << 20).front();
    const cli::Rate cached = cli::measure_cached_reading();
    benchmark::AddCustomContext("reads GB/s", std::to_string(c.read_gb_per_s.best));
    benchmark::AddCustomContext("reads from cache GB/s", std::to_string(cached.best));
    benchmark::AddCustomContext("int8 GOP/s", std::to_string(c.int8_gop_per_s.best));
    benchmark::AddCustomContext("f32 GOP/s", std::to_string(c.f32_gop_per_s.best));
    benchmark::AddCustomContext("bf16 GOP/s", std::to_string(c.bf16_gop_per_s.best));
    return Limits{c.read_gb_per_s.best * 1e9, cached.best * 1e9, c.f32_gop_per_s.best * 1e9, c.int8_gop_per_s.best * 1e9,
                  c.bf16_gop_per_s.best * 1e9};
  }();
  return measured;
}

double seconds(double work, double rate) { return rate > 0 ? work / rate : 0; }

}  // namespace

double WorkClock::now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

void report(benchmark::State& state, const WorkClock& clock, const Work& work) {
  const double each = clock.seconds() / double(state.iterations());
  const Limits& l = limits();
  const double operations = work.f32_operations + work.int8_operations + work.bf16_operations;
  state.counters["GB/s"] = (work.memory_bytes + work.cached_bytes) * 1e-9 / each;
  if (operations > 0) state.counters["GOP/s"] = operations * 1e-9 / each;
  const double least =
      std::max({seconds(work.memory_bytes, l.memory), seconds(work.cached_bytes, l.cached), seconds(work.f32_operations, l.f32),
                seconds(work.int8_operations, l.int8), seconds(work.bf16_operations, l.bf16)});
  state.counters["ceiling"] = least / each;
}

}  // namespace fathom::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  fathom::bench::register_products();
  fathom::bench::register_vectors();
  fathom::bench::register_latent_attention();
  benchmark::RunSpecifiedBenchmarks();
}
