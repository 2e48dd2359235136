// gpt-oss: grouped-query attention with sinks, every other layer sliding, biases everywhere, experts in MXFP4.
#include "base/error.hpp"
#include "model/families/common.hpp"
#include "model/feed_forward/experts/experts.hpp"
#include "model/residual/residual_names.hpp"

namespace fathom::model {
namespace {

bool matches(const io::Checkpoint& c) {
  return is_huggingface(c, "GptOssForCausalLM", "gpt_oss") || is_gguf(c, "gpt-oss") || is_gguf(c, "gpt_oss");
}

// layer_types decides where it is given; else even layers slide.
void set_windows(Config& c, std::int64_t window, const std::vector<bool>& listed) {
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    if (i < listed.size() ? listed[i] : i % 2 == 0) c.layers[i].attention.sliding_window = window;
  }
}

// GptOssConfig.
constexpr ClassDefaults kDefaults{.vocab_size = 201088,
                                  .hidden_size = 2880,
                                  .intermediate_size = 2880,
                                  .num_hidden_layers = 36,
                                  .num_attention_heads = 64,
                                  .num_key_value_heads = 8,
                                  .head_dim = 64,
                                  .max_position_embeddings = 131072,
                                  .rms_norm_eps = 1e-5,
                                  .rope_theta = 150000.0};

Config read_config(const ConfigSource& source) {
  Config c;
  if (source.gguf()) {
    const ConfigReader& r = source.reader;
    c = read_common_gguf(source);
    set_windows(c, r.integer("attention.sliding_window", 128), {});
    expect_gating(r, 3);
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.moe_intermediate_size = r.integer("expert_feed_forward_length", c.intermediate_size);
    c.swiglu_limit = 7.0f;
  } else {
    const ConfigReader& r = source.reader;
    c = read_common_huggingface(r, kDefaults);
    set_windows(c, r.integer("sliding_window", 128), read_sliding_layers(r));
    c.router.experts = r.integer("num_local_experts", 128);
    c.router.experts_per_token = r.integer("num_experts_per_tok", r.integer("experts_per_token", 4));
    c.moe_intermediate_size = c.intermediate_size;
    c.swiglu_limit = float(r.number("swiglu_limit", 7.0));
  }
  c.rope().truncate = false;  // the model's own definition; GGUF has no key for it
  c.qkv_bias = c.output_bias = source.gguf() || source.reader.boolean("attention_bias", true);
  c.sinks = c.expert_bias = true;
  c.activation = Activation::swiglu_oai;
  c.router.score = nn::RouterScore::softmax_selected;
  set_mixtures(c, 0, 1);
  return c;
}

constexpr OtherName kHuggingfaceNames[] = {
    {&kRouter, "model.layers.{}.mlp.router.weight"},
};
constexpr OtherName kGgufNames[] = {
    {&kFfnNorm, "blk.{}.post_attention_norm.weight"},
};

}  // namespace

constexpr Family kGptOss{"gpt_oss", matches, read_config, kHuggingfaceNames, kGgufNames, {}};

}  // namespace fathom::model
