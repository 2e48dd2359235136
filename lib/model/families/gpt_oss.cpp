// gpt-oss: grouped-query attention with sinks, every other layer sliding, biases everywhere, experts in MXFP4.
#include "base/error.hpp"
#include "model/config_reader.hpp"
#include "model/families.hpp"

namespace fathom::model {
namespace {

bool matches(const io::Checkpoint& c) {
  if (c.container == io::Container::gguf) return gguf_architecture(c) == "gpt-oss" || gguf_architecture(c) == "gpt_oss";
  return huggingface_architecture(c) == "GptOssForCausalLM" || huggingface_model_type(c) == "gpt_oss";
}

// layer_types decides where it is given; else even layers slide.
void set_windows(Config& c, std::int64_t window, const io::Value::Array& types) {
  for (std::size_t i = 0; i < c.sliding_window.size(); ++i) {
    const bool slides = i < types.size() ? types[i].as_string() == "sliding_attention" : i % 2 == 0;
    c.sliding_window[i] = slides ? window : 0;
  }
}

Config read_config(const io::Checkpoint& checkpoint) {
  Config c;
  if (checkpoint.container == io::Container::gguf) {
    const ConfigReader r = gguf_config(checkpoint);
    c = read_common_gguf(r, checkpoint);
    read_rope_scaling_gguf(r, checkpoint, c);
    set_windows(c, r.integer("attention.sliding_window", 128), {});
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.moe_intermediate_size = r.integer("expert_feed_forward_length", c.intermediate_size);
    c.swiglu_limit = 7.0f;
  } else {
    const ConfigReader r = huggingface_config(checkpoint);
    c = read_common_huggingface(r);
    read_rope_scaling_huggingface(r, c);
    set_windows(c, r.integer("sliding_window", 128), r.value("layer_types").array());
    c.router.experts = r.integer("num_local_experts");
    c.router.experts_per_token = r.integer("num_experts_per_tok", r.integer("experts_per_token", 4));
    c.moe_intermediate_size = c.intermediate_size;
    c.swiglu_limit = float(r.number("swiglu_limit", 7.0));
  }
  c.rope.truncate = false;  // the model's own definition; GGUF has no key for it
  c.qkv_bias = c.output_bias = c.sinks = c.expert_bias = true;
  c.activation = Activation::swiglu_oai;
  c.router.score = nn::RouterScore::softmax_selected;
  c.moe_layer.assign(c.sliding_window.size(), true);
  c.family = "gpt_oss";
  return c;
}

constexpr TensorName kHuggingfaceNames[] = {
    {Role::attn_sinks, "model.layers.{}.self_attn.sinks"},
    {Role::router, "model.layers.{}.mlp.router.weight"},
};
constexpr TensorName kGgufNames[] = {
    {Role::ffn_norm, "blk.{}.post_attention_norm.weight"},
};

}  // namespace

constexpr Family kGptOss{"gpt_oss", matches, read_config, kHuggingfaceNames, kGgufNames};

}  // namespace fathom::model
