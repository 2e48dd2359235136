// The passes of a model, lent to whoever steps. A pass has the memory of a prefill chunk, hundreds of megabytes for a large
// model, and only a step needs it: a session that is idle holds none.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/allocator.hpp"
#include "model/pass/pass.hpp"
#include "run/sampler.hpp"

namespace fathom {

struct PassLimits {
  std::int64_t rows = 1;        // most rows of a pass
  std::int64_t logit_rows = 1;  // most rows of one head
  bool traces = false;          // keeps the experts' choices

  bool cover(const PassLimits& other) const noexcept {
    return rows >= other.rows && logit_rows >= other.logit_rows && (traces || !other.traces);
  }
};

// A pass, and what draws from its logits write.
struct PooledPass {
  PooledPass(const model::Network& network, const PassLimits& limits, int workers, Allocator& allocator);
  static std::int64_t bytes_for(const model::Network& network, const PassLimits& limits, int workers);

  const PassLimits limits;
  model::Pass pass;
  SamplerScratch sampling;
  bool lent = false;
};

// From any thread. Everybody who may step takes a seat. Each seat has a pass in the pool that is large enough for it; all seats
// may have the same one. Steps of several threads, and steps that a budget paused inside a pass, need a pass each: the pool
// makes it when it is borrowed. It keeps as many passes as were lent at once, until there are fewer seats.
class PassPool {
 public:
  // A borrowed pass. Goes back when this goes.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept : pool_(other.pool_), lent_(std::exchange(other.lent_, nullptr)) {}
    Lease& operator=(Lease&& other) noexcept {
      Lease moved(std::move(other));
      std::swap(pool_, moved.pool_);
      std::swap(lent_, moved.lent_);
      return *this;
    }
    ~Lease() {
      if (lent_) pool_->take_back(*lent_);
    }
    explicit operator bool() const noexcept { return lent_ != nullptr; }
    PooledPass* operator->() const noexcept { return lent_; }
    PooledPass& operator*() const noexcept { return *lent_; }

   private:
    friend class PassPool;
    Lease(PassPool& pool, PooledPass& lent) noexcept : pool_(&pool), lent_(&lent) {}
    PassPool* pool_ = nullptr;
    PooledPass* lent_ = nullptr;
  };

  class Seat {
   public:
    // Throws Error{out_of_memory}.
    Seat(PassPool& pool, const PassLimits& limits);
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    ~Seat();

    const PassLimits& limits() const noexcept { return limits_; }
    // From here on passes for this seat keep the experts' choices. Throws Error{out_of_memory}; the seat is then as it was.
    void trace_routes();
    // Takes no memory while another pass that is large enough is at home. Throws Error{out_of_memory}.
    Lease borrow() { return pool_.lend(limits_); }

   private:
    friend class PassPool;
    PassPool& pool_;
    PassLimits limits_;
  };

  // The network and the allocator outlive the pool.
  PassPool(const model::Network& network, int workers, Allocator& allocator)
      : network_(network), workers_(workers), allocator_(allocator) {}

 private:
  using Passes = std::vector<std::unique_ptr<PooledPass>>;

  std::unique_ptr<PooledPass> make(const PassLimits& limits) const;
  void provide(const PassLimits& limits);
  Lease lend(const PassLimits& limits);
  void take_back(PooledPass& lent) noexcept;
  // Gives up passes that nobody needs.
  void trim() noexcept;

  // With the mutex held.
  bool is_covered(const PassLimits& limits, const PooledPass* without = nullptr) const noexcept;
  Passes::iterator find_needless() noexcept;
  void note_lent(PooledPass& pass) noexcept;

  const model::Network& network_;
  const int workers_;
  Allocator& allocator_;
  std::mutex mutex_;
  std::vector<const Seat*> seats_;
  Passes passes_;
  std::size_t lent_ = 0;
  std::size_t most_lent_ = 0;  // at once
};

}  // namespace fathom
