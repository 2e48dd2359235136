#include "run/pass_pool.hpp"

#include <algorithm>

namespace fathom {
namespace {

bool is_smaller(const PooledPass& a, const PooledPass& b) noexcept {
  return a.limits.rows != b.limits.rows ? a.limits.rows < b.limits.rows : a.limits.logit_rows < b.limits.logit_rows;
}

}  // namespace

PooledPass::PooledPass(const model::Network& network, const PassLimits& limits_, int workers, Allocator& allocator)
    : limits(limits_),
      pass(network, limits.rows, limits.logit_rows, workers, allocator),
      sampling(network.config.vocab_size, allocator) {
  if (limits.traces) pass.trace_routes(allocator);
}

std::int64_t PooledPass::bytes_for(const model::Network& network, const PassLimits& limits, int workers) {
  return model::PassMemory::bytes_for(network, {limits.rows, limits.logit_rows, workers}) +
         SamplerScratch::bytes_for(network.config.vocab_size) +
         (limits.traces ? model::RouteTrace::bytes_for(network.config, limits.rows) : 0);
}

PassPool::Seat::Seat(PassPool& pool, const PassLimits& limits) : pool_(pool), limits_(limits) {
  {
    const std::lock_guard lock(pool_.mutex_);
    pool_.seats_.push_back(this);
  }
  try {
    pool_.provide(limits_);
  } catch (...) {
    const std::lock_guard lock(pool_.mutex_);
    std::erase(pool_.seats_, this);
    throw;
  }
}

PassPool::Seat::~Seat() {
  {
    const std::lock_guard lock(pool_.mutex_);
    std::erase(pool_.seats_, this);
    pool_.most_lent_ = std::min(pool_.most_lent_, pool_.seats_.size());
  }
  pool_.trim();
}

void PassPool::Seat::trace_routes() {
  if (limits_.traces) return;
  const auto set = [this](bool traces) {
    const std::lock_guard lock(pool_.mutex_);
    limits_.traces = traces;
  };
  set(true);
  try {
    pool_.provide(limits_);
  } catch (...) {
    set(false);
    throw;
  }
}

std::unique_ptr<PooledPass> PassPool::make(const PassLimits& limits) const {
  return std::make_unique<PooledPass>(network_, limits, workers_, allocator_);
}

// The host's allocator is called without the lock: what it does is its own affair.
void PassPool::provide(const PassLimits& limits) {
  {
    const std::lock_guard lock(mutex_);
    if (is_covered(limits)) return;
  }
  std::unique_ptr<PooledPass> made = make(limits);
  {
    const std::lock_guard lock(mutex_);
    passes_.push_back(std::move(made));
  }
  trim();
}

PassPool::Lease PassPool::lend(const PassLimits& limits) {
  {
    const std::lock_guard lock(mutex_);
    PooledPass* smallest = nullptr;
    for (const auto& pass : passes_) {
      if (!pass->lent && pass->limits.cover(limits) && (!smallest || is_smaller(*pass, *smallest))) smallest = pass.get();
    }
    if (smallest) {
      note_lent(*smallest);
      return Lease(*this, *smallest);
    }
  }
  std::unique_ptr<PooledPass> made = make(limits);
  const std::lock_guard lock(mutex_);
  passes_.push_back(std::move(made));
  note_lent(*passes_.back());
  return Lease(*this, *passes_.back());
}

void PassPool::note_lent(PooledPass& pass) noexcept {
  pass.lent = true;
  most_lent_ = std::max(most_lent_, ++lent_);
}

void PassPool::take_back(PooledPass& lent) noexcept {
  {
    const std::lock_guard lock(mutex_);
    lent.lent = false;
    --lent_;
  }
  trim();
}

bool PassPool::is_covered(const PassLimits& limits, const PooledPass* without) const noexcept {
  return std::ranges::any_of(passes_, [&](const auto& pass) { return pass.get() != without && pass->limits.cover(limits); });
}

// The largest pass at home without which every seat still has one.
PassPool::Passes::iterator PassPool::find_needless() noexcept {
  const auto end = passes_.end();
  if (!seats_.empty() && passes_.size() <= std::max<std::size_t>(1, most_lent_)) return end;
  auto found = end;
  for (auto at = passes_.begin(); at != end; ++at) {
    const PooledPass& pass = **at;
    const bool needed = pass.lent || std::ranges::any_of(seats_, [&](const Seat* seat) {
                          return pass.limits.cover(seat->limits_) && !is_covered(seat->limits_, &pass);
                        });
    if (!needed && (found == end || is_smaller(**found, pass))) found = at;
  }
  return found;
}

void PassPool::trim() noexcept {
  for (;;) {
    std::unique_ptr<PooledPass> needless;  // released without the lock
    const std::lock_guard lock(mutex_);
    const auto found = find_needless();
    if (found == passes_.end()) return;
    needless = std::move(*found);
    passes_.erase(found);
  }
}

}  // namespace fathom
