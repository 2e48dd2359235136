// The residual stream after the embedding, after every layer and after the final norm, against the reference's: where a model
// goes wrong, this says in which layer. The public API does not show it, so these tests drive the forward pass itself.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/allocator.hpp"
#include "conformance/checks.hpp"
#include "model/pass/pass.hpp"
#include "run/model_impl.hpp"
#include "support/compare.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

using Stages = std::vector<std::vector<float>>;  // embedding, layers, norm; each [tokens, hidden]

// Takes the prompt in by chunks of `chunk` rows and keeps what the observer saw.
Stages run_stages(const Model& model, const std::vector<std::int32_t>& ids, std::int64_t chunk, StorageFormat cache_format) {
  const model::Network& network = *model.impl()->network;
  TaskSystem& tasks = *model.impl()->runtime->tasks;
  nn::KvCache cache(network.cache_shape(cache_format), std::int64_t(ids.size()), heap_allocator());
  model::Pass pass(network, chunk, chunk, tasks.concurrency(), heap_allocator());
  Stages stages(std::size_t(network.config.num_hidden_layers) + 2);
  pass.observer = [&](int layer, Matrix<const float> stream) {
    for (std::int64_t row = 0; row < stream.rows; ++row) {
      stages[std::size_t(layer + 1)].insert(stages[std::size_t(layer + 1)].end(), stream.row(row),
                                            stream.row(row) + stream.cols);
    }
  };
  const CancelFlag never_cancelled{false};
  for (std::int64_t first = 0; first < std::int64_t(ids.size()); first += chunk) {
    const std::int64_t rows = std::min(chunk, std::int64_t(ids.size()) - first);
    const model::RowSpan span{&cache, first, 0, rows};
    pass.begin({&span, 1}, std::span(ids).subspan(std::size_t(first), std::size_t(rows)));
    REQUIRE(pass.advance(tasks, Deadline::never(), never_cancelled));
    pass.begin_head(0, rows);
    REQUIRE(pass.advance(tasks, Deadline::never(), never_cancelled));
  }
  return stages;
}

// Each stage is held by `close`, which gets the reference's values and ours.
template <typename Check>
void check_stages(const GoldenHidden& golden, const Stages& stages, const Check& check) {
  REQUIRE(stages.size() == golden.stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    INFO("after ", golden.names[i]);
    REQUIRE(stages[i].size() == golden.stages[i].size());
    check(golden.stages[i], stages[i]);
  }
}

}  // namespace

TEST_CASE("the residual stream is the reference's after every layer") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const Model model = Model::open(runtime, conformance_folder(name));
    const GoldenHidden golden = read_golden_hidden(conformance_folder(name));
    for (const std::int64_t chunk : {std::int64_t(golden.input_ids.size()), std::int64_t(1), std::int64_t(5)}) {
      INFO("rows a pass: ", chunk);
      check_stages(golden, run_stages(model, golden.input_ids, chunk, StorageFormat::f32),
                   [](const auto& expected, const auto& found) { CHECK(max_abs_difference(expected, found) <= 1e-3); });
    }
  }
}

TEST_CASE("a cache of half the bytes moves the residual stream by no more than its tolerance") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const Model model = Model::open(runtime, conformance_folder(name));
    const GoldenHidden golden = read_golden_hidden(conformance_folder(name));
    const std::int64_t rows = std::int64_t(golden.input_ids.size());
    check_stages(golden, run_stages(model, golden.input_ids, rows, StorageFormat::f16),
                 [](const auto& expected, const auto& found) { CHECK(relative_distance(found, expected) <= 5e-3); });
    check_stages(golden, run_stages(model, golden.input_ids, rows, StorageFormat::bf16),
                 [](const auto& expected, const auto& found) { CHECK(relative_distance(found, expected) <= 3e-2); });
  }
}
