// The tables below name keys of published configurations: transformers' configuration classes, and GGUF's key names.
#include "model/families/unread_keys.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "model/families/common.hpp"

namespace fathom::model {
namespace {

// What a key says where it changes nothing.
struct NumberKey {
  std::string_view key;
  std::optional<double> neutral = std::nullopt;  // besides null, false and empty
};

// They change what a model computes.
constexpr NumberKey kHuggingfaceNumbers[] = {
    // attention
    {"attention_bias"},
    {"attn_logit_softcapping"},
    {"attention_chunk_size"},
    {"attention_multiplier", 1.0},
    {"attention_sink"},
    {"attn_temperature_tuning", 0.0},
    {"clip_qkv"},
    {"use_qk_norm"},
    {"qk_layernorm"},
    {"qk_norm"},
    {"use_sliding_window"},
    {"sliding_window"},
    {"sliding_window_pattern"},
    {"layer_types"},
    {"no_rope_layers"},
    {"query_pre_attn_scalar"},
    {"index_topk"},
    {"index_n_heads"},
    {"index_head_dim"},
    {"kv_lora_rank"},
    {"q_lora_rank"},
    {"qk_rope_head_dim"},
    {"num_kv_shared_layers", 0.0},
    {"full_attention_interval"},
    {"alibi"},
    // rotary embedding
    {"long_factor"},
    {"short_factor"},
    {"long_mscale"},
    {"short_mscale"},
    {"llama_4_scaling_beta", 0.0},
    {"alpha", 1.0},
    {"partial_rotary_factor", 1.0},
    {"rotary_pct", 1.0},
    {"rope_interleave"},
    {"rope_interleaved"},
    {"rope_local_base_freq"},
    {"rope_ratio", 1.0},
    {"mrope_section"},
    {"use_mrope"},
    {"original_rope"},
    // scales and caps
    {"embedding_multiplier", 1.0},
    {"scale_emb", 1.0},
    {"scale_depth"},
    {"dim_model_base"},
    {"residual_multiplier", 1.0},
    {"logits_scaling", 1.0},
    {"logit_scale", 1.0},
    {"final_logit_softcapping"},
    {"use_muP"},
    {"mup_denominator"},
    // feed-forward parts
    {"mlp_bias"},
    {"hidden_act"},
    {"hidden_activation"},
    {"activation_function"},
    {"swiglu_limit"},
    {"num_experts", 0.0},
    {"num_local_experts", 0.0},
    {"n_routed_experts", 0.0},
    {"moe_num_experts", 0.0},
    {"n_shared_experts", 0.0},
    {"shared_expert_intermediate_size", 0.0},
    {"scoring_func"},
    {"topk_method"},
    {"n_group", 1.0},
    {"topk_group", 1.0},
    {"routed_scaling_factor", 1.0},
    {"norm_topk_prob"},
    {"norm_topk_prob_eps"},
    {"moe_layer_freq", 1.0},
    {"first_k_dense_replace", 0.0},
    {"moe_router_use_sigmoid"},
    {"moe_router_enable_expert_bias"},
    {"router_bias"},
    {"use_bias"},
    {"bias"},
    // the residual stream
    {"use_parallel_residual"},
    {"parallel_attn"},
    {"hc_mult", 1.0},
    {"use_post_norm"},
    {"layernorm_epsilon"},
    {"layer_norm_eps"},
    {"apply_residual_connection_post_layernorm"},
};

constexpr NumberKey kGgufNumbers[] = {
    {"attn_logit_softcapping", 0.0},
    {"final_logit_softcapping", 0.0},
    {"router_logit_softcapping", 0.0},
    {"logit_scale", 1.0},
    {"embedding_scale", 1.0},
    {"residual_scale", 1.0},
    {"attention.scale"},
    {"attention.output_scale", 1.0},
    {"attention.temperature_length", 0.0},
    {"attention.temperature_scale", 0.0},
    {"attention.clamp_kqv", 0.0},
    {"attention.max_alibi_bias", 0.0},
    {"attention.layer_norm_epsilon"},
    {"attention.group_norm_epsilon"},
    {"attention.sliding_window", 0.0},
    {"attention.sliding_window_pattern"},
    {"attention.shared_kv_layers", 0.0},
    {"attention.key_length_swa"},
    {"attention.value_length_swa"},
    {"attention.indexer.head_count", 0.0},
    {"attention.indexer.top_k", 0.0},
    {"rope.freq_base_swa"},
    {"rope.dimension_sections"},
    {"rope.dimension_count_swa"},
    {"rope.scaling.attn_factor", 1.0},
    {"rope.scaling.yarn_log_multiplier", 0.0},
    {"use_parallel_residual"},
    {"swiglu_clamp_exp"},
    {"swiglu_clamp_shexp"},
    {"expert_count", 0.0},
    {"expert_shared_count", 0.0},
    {"expert_group_count", 1.0},
    {"expert_group_used_count", 1.0},
    {"expert_weights_scale", 1.0},
    {"expert_weights_norm"},
    {"expert_gating_func"},
    {"expert_group_scale", 1.0},
    {"interleave_moe_layer_step"},
    {"moe_every_n_layers", 0.0},
    {"leading_dense_block_count", 0.0},
    {"embedding_length_per_layer_input", 0.0},
    {"hyper_connection.count", 1.0},
    {"attention.causal", 1.0},
};

// They speak of training, of files and of other engines.
constexpr std::string_view kHuggingfaceHarmless[] = {
    "architectures",
    "model_type",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "auto_map",
    "_name_or_path",
    "name_or_path",
    "use_cache",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "unk_token_id",
    "sep_token_id",
    "decoder_start_token_id",
    "attention_dropout",
    "hidden_dropout",
    "hidden_dropout_prob",
    "resid_pdrop",
    "embd_pdrop",
    "attention_probs_dropout_prob",
    "initializer_range",
    "pretraining_tp",
    "output_router_logits",
    "router_aux_loss_coef",
    "router_z_loss_coef",
    "router_jitter_noise",
    "aux_loss_alpha",
    "aux_loss_free",
    "seq_aux",
    "ep_size",
    "num_nextn_predict_layers",
    "max_window_layers",
    "quantization_config",
    "compression_config",
    "chat_template",
    "tokenizer_class",
    "problem_type",
    "id2label",
    "label2id",
    "num_labels",
    "finetuning_task",
    "is_encoder_decoder",
    "is_decoder",
    "return_dict",
    "output_attentions",
    "output_hidden_states",
    "use_return_dict",
    "unsloth_version",
    "unsloth_fixed",
    "max_length",
    "temperature",
    "top_p",
    "top_k",
    "do_sample",
    "repetition_penalty",
    "mlp_only_layers",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "initial_context_length",
    "max_sequence_length",
    "model_max_length",
    "original_max_position_embeddings",
    "_attn_implementation",
    "attn_implementation",
    "_attn_implementation_autoset",
    "torchscript",
    "use_bfloat16",
    "task_specific_params",
    "language",
    "license",
    "head_dim",
    "experts_per_token",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "vision_config",
    "audio_config",
    "image_token_id",
    "layer_norm_type",
    "keys_to_ignore_at_inference",
    "tie_encoder_decoder",
    "cross_attention_hidden_size",
    "add_cross_attention",
};

constexpr std::string_view kGgufHarmless[] = {
    "vocab_size",
    "context_length",
    "block_count",
    "feed_forward_length",
    "tensor_data_layout",
    "pooling_type",
    "nextn_predict_layers",
    "attention.key_length",
    "attention.value_length",
    "attention.head_count_kv",
    "rope.dimension_count",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.factor",
    "rope.scaling.type",
    "rope.scale_linear",
    "rope.freq_base",
    "expert_feed_forward_length",
    "expert_shared_feed_forward_length",
    "expert_used_count",
    "decoder_start_token_id",
};

template <typename Table>
bool lists(const Table& table, std::string_view key) {
  return std::find(std::begin(table), std::end(table), key) != std::end(table);
}

bool changes_nothing(const io::Value& value, const std::optional<double>& neutral) {
  const auto flag = value.as_bool();
  const auto number = value.as_double();
  return neutral && ((number && *number == *neutral) || (flag && double(*flag) == *neutral));
}

template <typename Table>
void refuse(const Table& numbers, const ConfigReader& reader, std::string_view key, const Family& family) {
  const auto row = std::find_if(std::begin(numbers), std::end(numbers), [&](const NumberKey& one) { return one.key == key; });
  if (row == std::end(numbers) || changes_nothing(reader.value(key), row->neutral)) return;
  fail(Status::unsupported, "{}: '{}' changes what the model computes, and the family {} does not compute it", reader.origin(),
       key, family.name);
}

}  // namespace

std::vector<std::string> check_unread_keys(const ConfigSource& source, const Family& family) {
  std::vector<std::string> unknown;
  const auto check = [&](const ConfigReader& object) {
    for (const std::string& key : object.unread()) {
      if (source.gguf()) {
        if (lists(kGgufHarmless, key)) continue;
        refuse(kGgufNumbers, object, key, family);
      } else {
        if (lists(kHuggingfaceHarmless, key) || lists(family.harmless_keys, key)) continue;
        refuse(kHuggingfaceNumbers, object, key, family);
      }
      unknown.push_back(key);
    }
  };
  check(source.reader);
  if (!source.gguf()) check(rope_settings(source.reader));
  return unknown;
}

}  // namespace fathom::model
