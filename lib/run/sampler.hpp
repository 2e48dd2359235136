// From logits to a token. The order of the steps is SamplingOptions'.
#pragma once

#include <cstdint>
#include <span>

#include "base/allocator.hpp"
#include "base/rng.hpp"
#include "fathom/sampling.hpp"

namespace fathom {

// What a draw writes. Nothing in it outlives the draw, so any number of samplers share one, one draw at a time.
class SamplerScratch {
 public:
  struct Candidate {
    float logit;
    TokenId id;
  };

  // Throws Error{out_of_memory}.
  SamplerScratch(std::int64_t vocab, Allocator& allocator);
  static std::int64_t bytes_for(std::int64_t vocab) noexcept;

  // Each [vocab].
  std::span<float> logits;
  std::span<Candidate> candidates;
  std::span<float> probabilities;
  std::span<std::int32_t> counts;  // times seen in the window; all zero between draws

 private:
  Buffer memory_;
};

// One a session. It allocates nothing.
class Sampler {
 public:
  // `vocab`: logits' length; tokens from `usable` on are padding rows that are never chosen.
  Sampler(std::int64_t vocab, std::int64_t usable) noexcept : usable_(std::size_t(vocab < usable ? vocab : usable)) {}

  // Throws Error{invalid_argument} when an option is out of range. Restarts the random sequence at the seed.
  void configure(const SamplingOptions& options);
  // The random sequence from its beginning.
  void restart() noexcept { rng_ = Rng(options_.seed); }
  const SamplingOptions& options() const noexcept { return options_; }
  std::size_t usable() const noexcept { return usable_; }
  // Where the random sequence stands; goes back to such a place.
  std::uint64_t random_state() const noexcept { return rng_.state(); }
  void set_random_state(std::uint64_t state) noexcept { rng_ = Rng(state); }
  // `logits`: [vocab], the scratch's own or others; `history`: the timeline so far, for the penalties.
  TokenId sample(std::span<const float> logits, std::span<const TokenId> history, SamplerScratch& scratch) noexcept;

 private:
  bool penalises() const noexcept;
  void penalise(std::span<const TokenId> history, SamplerScratch& scratch) const noexcept;
  TokenId likeliest(std::span<const float> logits) const noexcept;
  // Candidates sorted by falling logit as far as the filters need; returns how many stay.
  std::size_t keep_candidates(std::span<const float> logits, SamplerScratch& scratch) const noexcept;

  SamplingOptions options_;
  std::size_t usable_;
  Rng rng_;
};

}  // namespace fathom
