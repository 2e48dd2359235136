#include "model/attention/latent/absorbed_rounds.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "model/attention/latent/latent.hpp"
#include "unit/model/run_network.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

constexpr model::Place kFirstLayer{};

model::LatentScratch& scratch(model::Pass& pass) { return pass.scratch<model::LatentScratch>(kFirstLayer); }

struct Part {
  std::int64_t before, rows;
};

// A pass that has begun on rows of several sequences, and is never run.
struct Begun {
  Begun(const model::Network& network, const std::vector<Part>& parts, std::int64_t slots, int workers)
      : pass(network, 600, 1, workers, heap_allocator()) {
    for (const Part& part : parts) {
      spans.push_back({nullptr, part.before, std::int64_t(ids.size()), part.rows});
      ids.resize(ids.size() + std::size_t(part.rows));
    }
    if (slots > 0) scratch(pass).partial_slots = slots;
    pass.begin(spans, ids);
  }

  std::vector<model::RowSpan> spans;
  std::vector<std::int32_t> ids;
  model::Pass pass;
};

bool is_expanded(const model::Network& network, const model::RowSpan& span) {
  return !network.engine->invariant && span.rows >= model::kExpandRows;
}
bool any_absorbed(const model::Network& network, const std::vector<model::RowSpan>& spans) {
  return !std::all_of(spans.begin(), spans.end(), [&](const model::RowSpan& span) { return is_expanded(network, span); });
}

const std::vector<std::vector<Part>> kPasses = {{{0, 1}},
                                                {{16'000, 1}},
                                                {{100'000, 1}},
                                                {{0, 600}},
                                                {{16'000, 191}},
                                                {{250, 33}},
                                                {{1, 1}, {2, 1}, {40'000, 1}, {3, 1}},
                                                {{16'000, 1}, {0, 50}, {700, 200}, {600, 7}, {5, 1}, {900, 3}, {9'000, 1}},
                                                std::vector<Part>(32, Part{255, 1}),
                                                std::vector<Part>(40, Part{16'000, 1}),
                                                std::vector<Part>(90, Part{3'000, 3})};

}  // namespace

TEST_CASE("the units of all rounds attend with each absorbed row and head to each block once, in ascending order") {
  for (const bool invariant : {false, true}) {
    const auto network = open_fixture("deepseek-v3", invariant);
    const std::int64_t heads = network->config.attention.heads;
    for (std::size_t which = 0; which < kPasses.size(); ++which) {
      for (const std::int64_t slots : {0, 2, 9, 100}) {
        for (const int workers : {1, 3, 16}) {
          CAPTURE(invariant);
          CAPTURE(which);
          CAPTURE(slots);
          CAPTURE(workers);
          Begun begun(*network, kPasses[which], slots, workers);
          model::Pass& pass = begun.pass;
          std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> next_block;  // of (row, head)
          bool fine = true, closed = false;
          for (pass.round = 0; any_absorbed(*network, begun.spans) && !closed; ++pass.round) {
            const model::AbsorbedRound round(pass, kFirstLayer);
            REQUIRE(round.rows > 0);
            fine &= round.rows <= scratch(pass).absorbed.rows;
            std::set<std::int64_t> states;  // slot * heads + place in the slot
            const std::int64_t units = round.count_units();
            fine &= units > 0;
            for (std::int64_t i = 0; i < units; ++i) {
              const model::AbsorbedUnit unit = round.find_unit(i);
              fine &= unit.heads > 0 && unit.heads * unit.group.rows <= model::kUnitQueries;
              fine &= unit.slot >= (round.keeps_totals ? round.rows : 0) &&
                      unit.slot + unit.group.rows <= scratch(pass).partial_slots;
              for (std::int64_t h = unit.first_head; h < unit.first_head + unit.heads; ++h) {
                for (std::int64_t r = 0; r < unit.group.rows; ++r) {
                  fine &= next_block[{unit.group.first_row + r, h}]++ == unit.block;
                  fine &= states.insert(unit.slot * heads + h * unit.group.rows + r).second;
                }
              }
            }
            closed = round.closes_pass;
          }
          CHECK(fine);
          CHECK(model::AbsorbedRound(pass, kFirstLayer).rows == 0);  // there is no round behind the last
          // Every row that is not expanded has seen all its context, and perhaps the block of a later row of its group.
          std::int64_t absorbed = 0;
          for (const model::RowSpan& span : begun.spans) {
            if (is_expanded(*network, span)) continue;
            for (std::int64_t r = 0; r < span.rows; ++r) {
              const std::int64_t least = (span.first_position + r) / model::kBlockPositions + 1;
              for (std::int64_t h = 0; h < heads; ++h, ++absorbed) {
                const std::int64_t seen = next_block[{span.first_row + r, h}];
                fine &= seen == least || seen == least + 1;
              }
            }
          }
          CHECK(fine);
          CHECK(absorbed == std::int64_t(next_block.size()));
        }
      }
    }
  }
}

TEST_CASE("a panel opens in its first round, closes in its last, and keeps totals only if it has several") {
  const auto network = open_fixture("deepseek-v3", true);
  for (const std::vector<Part>& parts : kPasses) {
    for (const std::int64_t slots : {0, 9, 100}) {
      Begun begun(*network, parts, slots, 2);
      model::Pass& pass = begun.pass;
      std::int64_t next_row = 0;
      bool open = false;
      for (pass.round = 0;; ++pass.round) {
        const model::AbsorbedRound round(pass, kFirstLayer);
        CHECK(round.opens_panel == !open);
        CHECK(round.first_row == next_row);
        CHECK(round.keeps_totals == !(round.opens_panel && round.closes_panel));
        open = !round.closes_panel;
        if (!open) next_row += round.rows;
        if (round.closes_pass) break;
      }
      CHECK_FALSE(open);
      CHECK(next_row == pass.rows);
    }
  }
}

TEST_CASE("a pass whose spans are all expanded has no round") {
  const auto network = open_fixture("deepseek-v3", false);
  Begun begun(*network, {{0, 192}, {64, 300}}, 0, 2);
  CHECK(model::AbsorbedRound(begun.pass, kFirstLayer).rows == 0);
}

TEST_CASE("a round has two units for each worker where its items and heads suffice") {
  const auto network = open_fixture("deepseek-v3", true);
  for (const int workers : {1, 2, 4, 8}) {
    Begun long_row(*network, {{16'000, 1}}, 0, workers), many_rows(*network, {{16'000, 64}}, 0, workers);
    CHECK(model::AbsorbedRound(long_row.pass, kFirstLayer).count_units() >= 2 * workers);
    CHECK(model::AbsorbedRound(many_rows.pass, kFirstLayer).count_units() >= 2 * workers);
  }
}
