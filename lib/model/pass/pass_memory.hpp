// The memory of a forward pass: every buffer its stages write, sized once for a number of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "base/allocator.hpp"
#include "base/view.hpp"
#include "model/pass/arena.hpp"
#include "model/pass/network.hpp"

namespace fathom::model {

// Rotary angles of each row.
struct RopeAngles {
  Matrix<float> cos, sin;  // [rows, rope.dims / 2]
};

struct PassMemory {
  PassMemory(const Network& network, const PassSize& limits, Allocator& allocator);

  static std::int64_t bytes_for(const Network& network, const PassSize& limits);

  Matrix<float> x;       // [rows, hidden]: the residual stream
  Matrix<float> normed;  // [rows, hidden]: what a block reads of it
  RoundedBuffer normed_rounded;
  Matrix<float> branch;           // [rows, hidden]: a block's output on its way to x
  std::vector<RopeAngles> ropes;  // as Config::ropes
  Matrix<float> logits;           // [logit_rows, vocab]
  std::vector<Slot> scratch;      // of each mechanism, as Network::mechanisms. They lie in the same place: a block has ended
                                  // before the next begins, and nothing in here outlives a block
  std::vector<Worker> workers;

 private:
  PassMemory() = default;
  std::size_t lay_out(const Network& network, const PassSize& limits, std::byte* base);

  Buffer memory_;
};

}  // namespace fathom::model
