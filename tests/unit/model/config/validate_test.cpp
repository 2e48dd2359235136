#include "model/config/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>

#include "model/attention/grouped_query/grouped_query.hpp"
#include "model/attention/latent/latent.hpp"
#include "model/families/common.hpp"
#include "support/check_error.hpp"

using namespace fathom;
using model::Config;

namespace {

// Mixture layers, latent attention, YaRN: every check applies to it.
Config sound() {
  Config c;
  c.family = "deepseek_v3";
  c.num_hidden_layers = 3;
  c.hidden_size = 64;
  c.vocab_size = 320;
  c.max_position_embeddings = 2560;
  c.kv_lora_rank = 32;
  c.q_lora_rank = 48;
  c.qk_nope_head_dim = 16;
  c.qk_rope_head_dim = 16;
  c.attention = {.heads = 4, .kv_heads = 4, .head_dim = 32, .v_head_dim = 16, .softmax_scale = 0.2f};
  c.rope().dims = 16;
  c.rope().scaling = nn::RopeScaling::yarn;
  c.rope().factor = 40.0;
  c.rope().original_context = 64;
  c.intermediate_size = 128;
  c.moe_intermediate_size = 32;
  c.n_shared_experts = 1;
  c.router.experts = 16;
  c.router.experts_per_token = 4;
  c.router.groups = 4;
  c.router.groups_kept = 2;
  model::set_layers(c, model::kLatentAttention);
  model::set_mixtures(c, 1, 1);
  return c;
}

Config grouped_query() {
  Config c = sound();
  c.kv_lora_rank = c.q_lora_rank = c.qk_nope_head_dim = c.qk_rope_head_dim = 0;
  c.attention = {.heads = 4, .kv_heads = 2, .head_dim = 16, .v_head_dim = 16, .softmax_scale = 0.25f};
  c.rope().dims = 16;
  model::set_layers(c, model::kGroupedQuery);
  model::set_mixtures(c, 1, 1);
  return c;
}

struct Fault {
  const char* named;  // what the message must hold
  std::function<void(Config&)> make;
};

void check_refused(const Config& base, const Fault& fault) {
  Config config = base;
  fault.make(config);
  CAPTURE(std::string(fault.named));
  test::check_error(Status::corrupt_file, {"some/config.json", fault.named},
                    [&] { model::validate(config, "some/config.json"); });
}

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("sound configurations pass") {
  model::validate(sound(), "x");
  model::validate(grouped_query(), "x");
  Config dense = grouped_query();
  dense.router = {};
  model::set_layers(dense, model::kGroupedQuery);
  model::validate(dense, "x");
  Config no_dense_layer = sound();
  model::set_mixtures(no_dense_layer, 0, 1);
  no_dense_layer.intermediate_size = 0;
  model::validate(no_dense_layer, "x");
}

TEST_CASE("every field that cannot be is refused by its name") {
  const Fault faults[] = {
      {"num_hidden_layers is 0", [](Config& c) { c.num_hidden_layers = 0; }},
      {"num_hidden_layers", [](Config& c) { c.num_hidden_layers = kHuge; }},
      {"hidden_size is -1", [](Config& c) { c.hidden_size = -1; }},
      {"hidden_size", [](Config& c) { c.hidden_size = kHuge; }},
      {"vocab_size is 0", [](Config& c) { c.vocab_size = 0; }},
      {"vocab_size", [](Config& c) { c.vocab_size = kHuge; }},
      {"max_position_embeddings is 0", [](Config& c) { c.max_position_embeddings = 0; }},
      {"rms_norm_eps", [](Config& c) { c.rms_norm_eps = -1e-6f; }},
      {"rms_norm_eps", [](Config& c) { c.rms_norm_eps = kNan; }},
      {"num_attention_heads is 0", [](Config& c) { c.layers[1].attention.heads = 0; }},
      {"head_dim is 5000", [](Config& c) { c.layers[1].attention.head_dim = 5000; }},
      {"v_head_dim is 0", [](Config& c) { c.layers[1].attention.v_head_dim = 0; }},
      {"kv_lora_rank is 0", [](Config& c) { c.kv_lora_rank = 0; }},
      {"q_lora_rank is -1", [](Config& c) { c.q_lora_rank = -1; }},
      {"qk_nope_head_dim is 0", [](Config& c) { c.qk_nope_head_dim = 0; }},
      {"qk_rope_head_dim is 1", [](Config& c) { c.qk_rope_head_dim = 1; }},
      {"rotated dimensions is 34", [](Config& c) { c.rope().dims = 34; }},
      {"rotated dimensions is odd", [](Config& c) { c.rope().dims = 15; }},
      {"rope_theta", [](Config& c) { c.rope().theta = 1.0; }},
      {"rope_theta", [](Config& c) { c.rope().theta = double(kInf); }},
      {"rope scaling factor", [](Config& c) { c.rope().factor = 0.0; }},
      {"original_max_position_embeddings", [](Config& c) { c.rope().original_context = 0; }},
      {"beta_fast", [](Config& c) { c.rope().beta_fast = 0.0; }},
      {"beta_slow", [](Config& c) { c.rope().beta_slow = -1.0; }},
      {"magnitude", [](Config& c) { c.rope().cos_sin_factor = kInf; }},
      {"magnitude", [](Config& c) { c.rope().cos_sin_factor = 0.0f; }},
      {"frequency factors", [](Config& c) { c.rope().frequency_divisors.assign(7, 1.0f); }},
      {"softmax scale", [](Config& c) { c.layers[1].attention.softmax_scale = 0.0f; }},
      {"softmax scale", [](Config& c) { c.layers[1].attention.softmax_scale = kNan; }},
      {"layers are not as many", [](Config& c) { c.layers.pop_back(); }},
      {"sliding_window is -5", [](Config& c) { c.layers[1].attention.sliding_window = -5; }},
      {"rotary setting", [](Config& c) { c.layers[2].attention.rope = 1; }},
      {"number of experts is -1", [](Config& c) { c.router.experts = -1; }},
      {"number of experts is 5000", [](Config& c) { c.router.experts = 5000; }},
      {"num_experts_per_tok is 0", [](Config& c) { c.router.experts_per_token = 0; }},
      {"num_experts_per_tok is 17", [](Config& c) { c.router.experts_per_token = 17; }},
      {"n_group is 0", [](Config& c) { c.router.groups = 0; }},
      {"topk_group is 5", [](Config& c) { c.router.groups_kept = 5; }},
      {"multiple of n_group", [](Config& c) { c.router.groups = 3; }},
      {"more than the experts of topk_group", [](Config& c) { c.router.experts_per_token = 9; }},
      {"moe_intermediate_size is 0", [](Config& c) { c.moe_intermediate_size = 0; }},
      {"n_shared_experts is 65", [](Config& c) { c.n_shared_experts = 65; }},
      {"routed_scaling_factor", [](Config& c) { c.router.scaling = kNan; }},
      {"there are no experts", [](Config& c) { c.router.experts = 0; }},
      {"intermediate_size is 0", [](Config& c) { c.intermediate_size = 0; }},
  };
  for (const Fault& fault : faults) check_refused(sound(), fault);
}

TEST_CASE("grouped-query attention and Llama 3 scaling have checks of their own") {
  const Fault faults[] = {
      {"num_key_value_heads is 0", [](Config& c) { c.layers[1].attention.kv_heads = 0; }},
      {"num_key_value_heads is 8", [](Config& c) { c.layers[1].attention.kv_heads = 8; }},
      {"multiple of num_key_value_heads", [](Config& c) { c.layers[1].attention.kv_heads = 3; }},
      {"low_freq_factor",
       [](Config& c) {
         c.rope().scaling = nn::RopeScaling::llama3;
         c.rope().low_freq_factor = 0.0;
       }},
      {"high_freq_factor",
       [](Config& c) {
         c.rope().scaling = nn::RopeScaling::llama3;
         c.rope().low_freq_factor = c.rope().high_freq_factor = 4.0;
       }},
      {"swiglu_limit",
       [](Config& c) {
         c.activation = model::Activation::swiglu_oai;
         c.swiglu_limit = 0.0f;
       }},
  };
  for (const Fault& fault : faults) check_refused(grouped_query(), fault);
}

TEST_CASE("a layer is a mixture where the family says so") {
  const Config c = sound();
  CHECK_FALSE(c.is_moe(0));
  CHECK(c.is_moe(2));
}

TEST_CASE("a description names what matters of either attention") {
  const auto value = [](const Config& c, std::string_view name) {
    for (const auto& [key, text] : model::describe(c)) {
      if (key == name) return text;
    }
    return std::string("absent");
  };
  CHECK(value(sound(), "attention") == "latent (MLA)");
  CHECK(value(sound(), "kv_lora_rank") == "32");
  CHECK(value(sound(), "expert_groups") == "4, 2 kept");
  CHECK(value(sound(), "rope_scaling") == "yarn");
  CHECK(value(sound(), "dense_layers") == "1");
  CHECK(value(sound(), "sliding_window") == "absent");
  Config c = grouped_query();
  c.layers[0].attention.sliding_window = c.layers[2].attention.sliding_window = 16;
  CHECK(value(c, "num_key_value_heads") == "2");
  CHECK(value(c, "kv_lora_rank") == "absent");
  CHECK(value(c, "sliding_window") == "16");
  CHECK(value(c, "sliding_layers") == "2");
}
