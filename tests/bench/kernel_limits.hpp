// What kernels are held against: the least time that this machine could do their work in, by ceilings measured at start for one
// thread.
#pragma once

#include <benchmark/benchmark.h>

namespace fathom::bench {

// Of one call.
struct Work {
  double memory_bytes = 0;  // read from more memory than any cache holds
  double cached_bytes = 0;  // read from the first-level cache, or written there where that is more: both go on side by side
  double f32_operations = 0, int8_operations = 0, bf16_operations = 0;  // a multiply-add is two
};

// The time this thread has worked since it was made, without what others did meanwhile.
class WorkClock {
 public:
  WorkClock() : start_(now()) {}
  double seconds() const { return now() - start_; }

 private:
  static double now();
  double start_;
};

// Adds GB/s, GOP/s where there are products, and `ceiling`: the least time over the time taken, so 1 is the machine's limit.
// The least time is the longest of what reading and multiplying would take each by itself. `clock` began with the loop.
void report(benchmark::State& state, const WorkClock& clock, const Work& work);

void register_products();          // kernels_bench.cpp
void register_vectors();           // kernels_vector_bench.cpp
void register_latent_attention();  // latent_attention_bench.cpp

}  // namespace fathom::bench
