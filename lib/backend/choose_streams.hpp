// The prefetch of each storage format, chosen by timing products on a model's own weights.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "backend/stream_choice.hpp"
#include "backend/weight_view.hpp"
#include "base/task_system.hpp"

namespace fathom {

struct StreamTiming {
  std::int64_t budget_ns = 45'000'000;     // of all timing together; the sample under way may pass it
  std::int64_t least_bytes = 100'000'000;  // of weights; with fewer nothing is timed
  std::function<std::int64_t()> now_ns;    // a clock that never goes back; empty: the steady clock
};

// Times the candidates of each format that has at least a twentieth of the weights' bytes, for few, several and many rows of
// activations, with as many tasks as `tasks` runs at once. A candidate replaces the built-in prefetch when it is at least 3 %
// faster by the median of three or more rounds, and faster in four rounds of five; a format that the budget does not suffice
// for keeps the built-in one. `samples` are matrices as products read them, in memory. Results of products do not depend on the
// choice. Throws Error{out_of_memory}.
StreamChoice choose_streams(const kernels::KernelTable& kernels, std::span<const WeightView> samples, TaskSystem& tasks,
                            const StreamTiming& timing = {});

}  // namespace fathom
