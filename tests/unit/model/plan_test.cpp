#include "model/plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "model/config.hpp"
#include "nn/linear.hpp"
#include "unit/kernels/sample_matrix.hpp"

using namespace fathom;
using model::ColumnTile;

namespace {

nn::Linear linear_of(const test::SampleMatrix& sample, const GemmBackend& backend) {
  return nn::Linear({sample.format(), sample.rows(), sample.cols(), sample.view()}, nullptr, backend, nullptr, 0, 1,
                    heap_allocator());
}

std::vector<std::string> stage_names(const model::Plan& plan) {
  std::vector<std::string> names;
  for (const model::Stage& stage : plan) names.push_back(stage.kind->name);
  return names;
}

model::Config two_layers() {
  model::Config c;
  c.num_hidden_layers = 2;
  return c;
}

}  // namespace

TEST_CASE("tiles are whole multiples of 64 columns, near a quarter of a megabyte, and several for each worker") {
  for (const int workers : {1, 2, 8, 64}) {
    for (const std::int64_t columns : {1, 63, 64, 65, 2048, 129280}) {
      for (const std::int64_t bytes : {1, 68, 4096, 14336, 1 << 22}) {
        CAPTURE(workers);
        CAPTURE(columns);
        CAPTURE(bytes);
        const std::int64_t width = model::tile_width(columns, bytes, workers);
        CHECK(width > 0);
        CHECK(width % 64 == 0);
        if (width > 64) {
          CHECK(width * bytes <= 256 << 10);
          CHECK(width * 4 * workers <= columns);
        }
      }
    }
  }
}

TEST_CASE("tiles keep the limits they are given") {
  for (const model::TileLimits limits : {model::TileLimits{.least = 16}, model::kStreamTiles}) {
    for (const std::int64_t columns : {16, 2048, 7168}) {
      for (const std::int64_t bytes : {0, 968, 9920, 80000}) {
        const std::int64_t width = model::tile_width(columns, bytes, 2, limits);
        CHECK(width % limits.least == 0);
        CHECK(width >= limits.least);
        if (width > limits.least) {
          CHECK(width * bytes <= limits.bytes);
          CHECK(width * limits.per_worker * 2 <= columns);
        }
      }
    }
  }
  // A wide one is cut evenly, into as many for each worker: not 896, 896, 256 and 896, 896, 896, 128.
  CHECK(model::tile_width(2048, 1152, 2, model::kStreamTiles) == 512);
  CHECK(model::tile_width(2816, 1152, 2, model::kStreamTiles) == 704);
  CHECK(model::tile_width(1408, 1152, 2, model::kStreamTiles) == 704);
}

TEST_CASE("the tiles of several matrices cover every column of each exactly once") {
  const auto backend = make_native_backend(*kernels::scalar_table());
  Rng rng(1);
  const std::int64_t outs[] = {1, 64, 1000, 130};
  std::vector<nn::Linear> matrices;
  std::vector<test::SampleMatrix> samples;
  samples.reserve(4);
  for (const std::int64_t out : outs) samples.emplace_back(StorageFormat::f32, out, 4, rng);
  for (const test::SampleMatrix& sample : samples) matrices.push_back(linear_of(sample, *backend));
  const nn::Linear* list[] = {&matrices[0], &matrices[1], &matrices[2], &matrices[3]};
  for (const int workers : {1, 2, 5}) {
    std::map<std::pair<int, std::int64_t>, int> covered;
    const std::int64_t units = model::count_column_tiles(list, workers);
    for (std::int64_t unit = 0; unit < units; ++unit) {
      const ColumnTile tile = model::find_column_tile(list, unit, workers);
      CHECK(tile.first < tile.last);
      CHECK(tile.first % 64 == 0);
      for (std::int64_t column = tile.first; column < tile.last; ++column) ++covered[{tile.matrix, column}];
    }
    CHECK(covered.size() == 1 + 64 + 1000 + 130);
    for (const auto& [column, times] : covered) CHECK(times == 1);
  }
}

TEST_CASE("row units cover the rows") {
  CHECK(model::row_units(0) == 0);
  CHECK(model::row_units(1) == 1);
  CHECK(model::row_units(model::kRowsPerUnit) == 1);
  CHECK(model::row_units(model::kRowsPerUnit + 1) == 2);
}

TEST_CASE("a dense grouped-query layer norms, attends, norms and feeds forward") {
  const std::vector<std::string> layer = {"attn_norm",   "project_qkv", "rotate_and_store", "attend", "round_heads",
                                          "attn_output", "ffn_norm",    "gate_up",          "down"};
  std::vector<std::string> expected{"embed"};
  for (int i = 0; i < 2; ++i) expected.insert(expected.end(), layer.begin(), layer.end());
  CHECK(stage_names(model::plan_body(two_layers())) == expected);
  CHECK(stage_names(model::plan_head()) == std::vector<std::string>{"final_norm", "logits"});
}

TEST_CASE("latent attention projects queries in a second step only where they have a latent of their own") {
  model::Config c = two_layers();
  c.attention = model::Attention::latent;
  const auto has = [&](const char* name) {
    const std::vector<std::string> names = stage_names(model::plan_body(c));
    return std::count(names.begin(), names.end(), name);
  };
  CHECK(has("project_queries") == 0);
  CHECK(has("attend_absorbed") == 2);
  CHECK(has("attend_expanded") == 2);
  CHECK(has("attend") == 0);
  c.q_lora_rank = 8;
  CHECK(has("project_queries") == 2);
  CHECK(has("rotate_queries") == 2);
}

TEST_CASE("mixture layers route where the configuration says, and dense ones do not") {
  model::Config c = two_layers();
  c.router.experts = 4;
  c.moe_layer = {false, true};
  std::vector<int> routed, dense;
  for (const model::Stage& stage : model::plan_body(c)) {
    if (stage.kind == &model::stages::choose_experts) routed.push_back(stage.layer);
    if (stage.kind == &model::stages::gate_up) dense.push_back(stage.layer);
  }
  CHECK(routed == std::vector<int>{1});
  CHECK(dense == std::vector<int>{0});
}
