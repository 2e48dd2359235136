// A point in time at which work should pause, and a flag with which another thread asks it to.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace fathom {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline never() { return Deadline{}; }
  // `budget_us` microseconds from now; 0 or less means no limit.
  static Deadline after_us(std::int64_t budget_us) {
    Deadline deadline;
    if (budget_us > 0) {
      deadline.limited_ = true;
      deadline.end_ = Clock::now() + std::chrono::microseconds(std::min(budget_us, kLongestBudgetUs));
    }
    return deadline;
  }

  // Is this one sooner? One without limit never is.
  bool operator<(const Deadline& other) const noexcept { return limited_ && (!other.limited_ || end_ < other.end_); }

  bool limited() const noexcept { return limited_; }
  // Would `need_us` more microseconds of work end after the deadline?
  bool too_late_for(double need_us) const noexcept {
    if (!limited_) return false;
    return Clock::now() + std::chrono::nanoseconds(std::int64_t(need_us * 1000.0)) > end_;
  }

 private:
  // Ten years: what is longer would overflow the clock's nanoseconds.
  static constexpr std::int64_t kLongestBudgetUs = std::int64_t{3650} * 24 * 3600 * 1'000'000;

  bool limited_ = false;
  Clock::time_point end_{};
};

using CancelFlag = std::atomic<bool>;

}  // namespace fathom
