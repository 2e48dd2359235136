// From logits to a token. The order of the steps is SamplingOptions'.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.hpp"
#include "fathom/sampling.hpp"

namespace fathom {

// One a session. No allocation after construction.
class Sampler {
 public:
  // `vocab`: logits' length; tokens from `usable` on are padding rows that are never chosen.
  Sampler(std::int64_t vocab, std::int64_t usable);

  static std::int64_t bytes_for(std::int64_t vocab) noexcept {
    return vocab * std::int64_t(sizeof(Candidate) + 2 * sizeof(float) + sizeof(std::int32_t));
  }

  // Throws Error{invalid_argument} when an option is out of range. Restarts the random sequence at the seed.
  void configure(const SamplingOptions& options);
  // The random sequence from its beginning.
  void restart() noexcept { rng_ = Rng(options_.seed); }
  const SamplingOptions& options() const noexcept { return options_; }
  // Where the random sequence stands; goes back to such a place.
  std::uint64_t random_state() const noexcept { return rng_.state(); }
  void set_random_state(std::uint64_t state) noexcept { rng_ = Rng(state); }
  // `history`: the timeline so far, for the penalties.
  TokenId sample(std::span<const float> logits, std::span<const TokenId> history) noexcept;

 private:
  struct Candidate {
    float logit;
    TokenId id;
  };
  void penalise(std::span<const TokenId> history) noexcept;
  TokenId likeliest() const noexcept;
  // Candidates sorted by falling logit as far as the filters need; returns how many stay.
  std::size_t keep_candidates() noexcept;

  SamplingOptions options_;
  std::size_t usable_;
  std::vector<float> logits_;
  std::vector<Candidate> candidates_;
  std::vector<float> probabilities_;
  std::vector<std::int32_t> counts_;  // [vocab] times seen in the window; all zero between calls
  Rng rng_;
};

}  // namespace fathom
