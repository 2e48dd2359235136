// One block of memory, handed out in pieces: the buffers of a pass.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/allocator.hpp"
#include "base/view.hpp"
#include "model/pass/rounded_buffer.hpp"

namespace fathom::model {

// With a null base it only counts.
class Arena {
 public:
  explicit Arena(std::byte* base) : base_(base) {}

  template <typename T>
  T* take(std::int64_t count) {
    T* piece = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += (std::size_t(count) * sizeof(T) + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
    most_ = std::max(most_, used_);
    return piece;
  }
  Matrix<float> matrix(std::int64_t rows, std::int64_t cols) { return {take<float>(rows * cols), rows, cols}; }
  RoundedBuffer rounded(std::int64_t rows, std::int64_t cols, ActivationForms forms);

  std::size_t used() const { return used_; }
  // Gives back all that was taken after `used` bytes: what is taken next lies in the same place.
  void reuse_from(std::size_t used) { used_ = used; }
  // The most that was in use at once: the size of the block.
  std::size_t most() const { return most_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0, most_ = 0;
};

// How much goes through a pass together.
struct PassSize {
  std::int64_t rows = 1;        // of activations
  std::int64_t logit_rows = 1;  // of these, how many may be asked for logits at once
  int workers = 1;
};

// What a mechanism asks of a pass.
struct PassMemoryPlan {
  PassSize limits;
  ActivationForms forms;  // all that any matrix of the model reads
  Arena arena;
  std::size_t linear_bytes = 0;   // of each worker, for the back ends; the most that any mechanism needs
  std::int64_t local_floats = 0;  // of each worker, for the stages; likewise

  void want_linear(std::size_t bytes) { linear_bytes = std::max(linear_bytes, bytes); }
  void want_local(std::int64_t floats) { local_floats = std::max(local_floats, floats); }
};

}  // namespace fathom::model
