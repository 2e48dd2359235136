#include "base/rng.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace fathom;

// The first outputs of splitmix64 for seed 1234567, as published with the generator's reference code.
TEST_CASE("a seed gives the published sequence of splitmix64") {
  Rng rng(1234567);
  for (const std::uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u, 16408922859458223821u}) {
    CHECK(rng.next() == expected);
  }
}

TEST_CASE("a generator made from another's state goes on where that one stands") {
  Rng first(7);
  for (int i = 0; i < 10; ++i) first.next();
  Rng second(first.state());
  for (int i = 0; i < 10; ++i) CHECK(first.next() == second.next());
}

TEST_CASE("uniform numbers lie in [0, 1) and fill it evenly") {
  Rng rng(3);
  constexpr int kDraws = 100000, kBins = 10;
  int bins[kBins] = {};
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform();
    REQUIRE(u >= 0.0);
    REQUIRE(u < 1.0);
    ++bins[int(u * kBins)];
  }
  // A bin is binomial with standard deviation sqrt(100000 * 0.1 * 0.9) = 95; six of them is far from chance.
  for (const int count : bins) CHECK(std::abs(count - kDraws / kBins) < 570);
}
