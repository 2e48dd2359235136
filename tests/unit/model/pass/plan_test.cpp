// Which stages a network runs, and in which order.
#include "model/pass/plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "unit/model/run_network.hpp"

using namespace fathom;

namespace {

std::vector<std::string> stage_names(const model::Plan& plan, int layer) {
  std::vector<std::string> names;
  for (const model::Stage& stage : plan) {
    if (stage.at.layer == layer) names.push_back(stage.kind->name);
  }
  return names;
}

}  // namespace

TEST_CASE("a dense grouped-query layer norms, attends, norms and feeds forward") {
  const auto network = test::open_fixture("llama3", false);
  CHECK(stage_names(network->body, 1) == std::vector<std::string>{"attn_norm", "project_qkv", "rotate_and_store", "attend",
                                                                  "round_heads", "attn_output", "ffn_norm", "gate_up", "down"});
  CHECK(stage_names(network->body, 0).front() == "embed");
  CHECK(stage_names(network->head, 0) == std::vector<std::string>{"final_norm", "logits"});
}

TEST_CASE("latent attention projects queries in a second step only where they have a latent of their own") {
  const auto has = [](const char* model, const char* name) {
    const std::vector<std::string> names = stage_names(test::open_fixture(model, false)->body, 1);
    return std::count(names.begin(), names.end(), name);
  };
  CHECK(has("deepseek-v2-lite", "project_queries") == 0);
  CHECK(has("deepseek-v3", "project_queries") == 1);
  CHECK(has("deepseek-v3", "rotate_queries") == 1);
  for (const char* name : {"attend_absorbed", "attend_expanded"}) CHECK(has("deepseek-v3", name) == 1);
  CHECK(has("deepseek-v3", "attend") == 0);
}

TEST_CASE("mixture layers route where the configuration says, and dense ones do not") {
  const auto network = test::open_fixture("deepseek-v3", false);
  for (int layer = 0; layer < 3; ++layer) {
    const std::vector<std::string> names = stage_names(network->body, layer);
    CHECK(std::count(names.begin(), names.end(), "choose_experts") == (layer > 0));
    CHECK(std::count(names.begin(), names.end(), "gate_up") == (layer == 0));
  }
}

TEST_CASE("the last stage of each layer says that it ends the layer") {
  const auto network = test::open_fixture("qwen3-moe", false);
  std::vector<int> ended;
  for (const model::Stage& stage : network->body) {
    if (stage.ends_layer) ended.push_back(stage.at.layer);
  }
  CHECK(ended == std::vector<int>{0, 1, 2});
}
