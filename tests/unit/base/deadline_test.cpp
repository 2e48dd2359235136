#include "base/deadline.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <thread>

using namespace fathom;

TEST_CASE("no budget means no limit") {
  for (const Deadline& deadline : {Deadline::never(), Deadline::after_us(0), Deadline::after_us(-5)}) {
    CHECK_FALSE(deadline.limited());
    CHECK_FALSE(deadline.too_late_for(1e12));
  }
}

TEST_CASE("work that would end after the deadline is too late, work that ends before it is not") {
  const Deadline deadline = Deadline::after_us(60'000'000);
  CHECK(deadline.limited());
  CHECK_FALSE(deadline.too_late_for(0));
  CHECK(deadline.too_late_for(120e6));
}

TEST_CASE("a deadline passes") {
  const Deadline deadline = Deadline::after_us(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK(deadline.too_late_for(0));
}

TEST_CASE("the largest budget is a deadline in the far future, not an overflow") {
  const Deadline deadline = Deadline::after_us(std::numeric_limits<std::int64_t>::max());
  CHECK(deadline.limited());
  CHECK_FALSE(deadline.too_late_for(3600e6));
}
