#include "model/families/family.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "io/json.hpp"
#include "model/attention/grouped_query/grouped_query.hpp"
#include "model/attention/latent/latent.hpp"
#include "model/feed_forward/experts/experts.hpp"
#include "model/residual/residual_names.hpp"
#include "support/check_error.hpp"
#include "support/gguf_convert.hpp"
#include "unit/model/memory_checkpoint.hpp"

using namespace fathom;
using model::Config;
using nn::RopeScaling;
using nn::RouterScore;

namespace {

constexpr const model::Mechanism *kGqa = &model::kGroupedQuery, *kMla = &model::kLatentAttention;
constexpr RouterScore kSoftmax = RouterScore::softmax, kSigmoid = RouterScore::sigmoid;

// What the fixtures' configurations say, written down by hand from them. The defaults are a dense model's with heads of 16.
struct Expected {
  const char* fixture;
  const char* family;
  std::int64_t layers, hidden, vocab, context, heads, kv_heads, head_dim, value_dim;
  const model::Mechanism* attention = kGqa;
  std::int64_t q_rank = 0, kv_rank = 0;
  double scale = 0.25;  // of the softmax
  double theta = 1e4;
  RopeScaling scaling = RopeScaling::none;
  bool interleaved = false;
  double cos_sin = 1;
  std::int64_t intermediate, experts = 0, per_token = 0, moe_intermediate = 0, shared = 0;
  RouterScore score = kSoftmax;
  std::int64_t groups = 1, groups_kept = 1;
  bool normalise = false;
  double routed_scaling = 1;
  std::vector<bool> moe = {};
  std::vector<std::int64_t> windows;
};

// 0.1 m ln(f) + 1
double magnitude(double f, double m) { return 0.1 * m * std::log(f) + 1.0; }
double squared(double x) { return x * x; }

// clang-format off
const Expected kExpected[] = {
    {.fixture = "deepseek-moe-v1", .family = "deepseek_v1", .layers = 3, .hidden = 64, .vocab = 320, .context = 512,
     .heads = 4, .kv_heads = 4, .head_dim = 16, .value_dim = 16, .intermediate = 144, .experts = 8, .per_token = 3,
     .moe_intermediate = 40, .shared = 2, .moe = {false, true, true}, .windows = {0, 0, 0}},
    {.fixture = "deepseek-v2-group", .family = "deepseek_v2", .layers = 3, .hidden = 64, .vocab = 320, .context = 2560,
     .heads = 4, .kv_heads = 4, .head_dim = 32, .value_dim = 16, .attention = kMla, .q_rank = 48, .kv_rank = 32,
     .scale = squared(magnitude(40, 0.707)) / std::sqrt(32.0), .scaling = RopeScaling::yarn, .interleaved = true,
     .intermediate = 128, .experts = 16, .per_token = 4, .moe_intermediate = 24, .shared = 2, .groups = 4, .groups_kept = 2,
     .routed_scaling = 16, .moe = {false, true, true}, .windows = {0, 0, 0}},
    {.fixture = "deepseek-v2-lite", .family = "deepseek_v2", .layers = 3, .hidden = 64, .vocab = 320, .context = 2560,
     .heads = 4, .kv_heads = 4, .head_dim = 32, .value_dim = 16, .attention = kMla, .kv_rank = 32,
     .scale = squared(magnitude(40, 0.707)) / std::sqrt(32.0), .scaling = RopeScaling::yarn, .interleaved = true,
     .intermediate = 128, .experts = 8, .per_token = 3, .moe_intermediate = 32, .shared = 2, .moe = {false, true, true},
     .windows = {0, 0, 0}},
    {.fixture = "deepseek-v3", .family = "deepseek_v3", .layers = 3, .hidden = 64, .vocab = 384, .context = 2560, .heads = 4,
     .kv_heads = 4, .head_dim = 32, .value_dim = 16, .attention = kMla, .q_rank = 48, .kv_rank = 32,
     .scale = squared(magnitude(40, 1)) / std::sqrt(32.0), .scaling = RopeScaling::yarn, .interleaved = true,
     .intermediate = 160, .experts = 16, .per_token = 4, .moe_intermediate = 32, .shared = 1, .score = kSigmoid, .groups = 4,
     .groups_kept = 2, .normalise = true, .routed_scaling = 2.5, .moe = {false, true, true}, .windows = {0, 0, 0}},
    {.fixture = "deepseek-v3-fp8", .family = "deepseek_v3", .layers = 2, .hidden = 256, .vocab = 256, .context = 2560,
     .heads = 4, .kv_heads = 4, .head_dim = 64, .value_dim = 32, .attention = kMla, .q_rank = 128, .kv_rank = 128,
     .scale = squared(magnitude(40, 1)) / 8.0, .scaling = RopeScaling::yarn, .interleaved = true, .intermediate = 256,
     .experts = 6, .per_token = 3, .moe_intermediate = 128, .shared = 1, .score = kSigmoid, .groups = 3, .groups_kept = 2,
     .normalise = true, .routed_scaling = 2.5, .moe = {false, true}, .windows = {0, 0}},
    {.fixture = "deepseek-v3-mscale", .family = "deepseek_v3", .layers = 3, .hidden = 64, .vocab = 256, .context = 2560,
     .heads = 4, .kv_heads = 4, .head_dim = 32, .value_dim = 24, .attention = kMla, .q_rank = 40, .kv_rank = 32,
     .scale = squared(magnitude(40, 0.5)) / std::sqrt(32.0), .scaling = RopeScaling::yarn, .interleaved = true,
     .cos_sin = magnitude(40, 1) / magnitude(40, 0.5), .intermediate = 128, .experts = 8, .per_token = 3,
     .moe_intermediate = 24, .shared = 1, .score = kSigmoid, .groups = 2, .normalise = true, .routed_scaling = 2.5,
     .moe = {false, true, true}, .windows = {0, 0, 0}},
    {.fixture = "deepseek-v3-mtp", .family = "deepseek_v3", .layers = 3, .hidden = 64, .vocab = 320, .context = 2560,
     .heads = 4, .kv_heads = 4, .head_dim = 32, .value_dim = 16, .attention = kMla, .q_rank = 48, .kv_rank = 32,
     .scale = squared(magnitude(40, 1)) / std::sqrt(32.0), .scaling = RopeScaling::yarn, .interleaved = true,
     .intermediate = 128, .experts = 8, .per_token = 3, .moe_intermediate = 32, .shared = 1, .score = kSigmoid, .groups = 2,
     .normalise = true, .routed_scaling = 2.5, .moe = {false, true, true}, .windows = {0, 0, 0}},
    {.fixture = "deepseek-v3-nogroup", .family = "deepseek_v3", .layers = 3, .hidden = 72, .vocab = 320, .context = 1024,
     .heads = 3, .kv_heads = 3, .head_dim = 24, .value_dim = 16, .attention = kMla, .kv_rank = 32,
     .scale = 1 / std::sqrt(24.0), .theta = 5e4, .interleaved = true, .intermediate = 144, .experts = 12, .per_token = 3,
     .moe_intermediate = 28, .shared = 2, .score = kSigmoid, .normalise = true, .routed_scaling = 2.446,
     .moe = {false, true, true}, .windows = {0, 0, 0}},
    {.fixture = "deepseek-v3-split-rope", .family = "deepseek_v3", .layers = 3, .hidden = 64, .vocab = 320, .context = 2560,
     .heads = 4, .kv_heads = 4, .head_dim = 32, .value_dim = 16, .attention = kMla, .q_rank = 40, .kv_rank = 32,
     .scale = squared(magnitude(40, 1)) / std::sqrt(32.0), .scaling = RopeScaling::yarn, .intermediate = 128, .experts = 8,
     .per_token = 2, .moe_intermediate = 32, .shared = 1, .score = kSigmoid, .groups = 2, .normalise = true,
     .routed_scaling = 2.5, .moe = {false, true, true}, .windows = {0, 0, 0}},
    {.fixture = "gpt-oss", .family = "gpt_oss", .layers = 4, .hidden = 64, .vocab = 320, .context = 2048, .heads = 8,
     .kv_heads = 2, .head_dim = 16, .value_dim = 16, .theta = 150000, .scaling = RopeScaling::yarn,
     .cos_sin = magnitude(32, 1), .intermediate = 40, .experts = 6, .per_token = 2, .moe_intermediate = 40,
     .score = RouterScore::softmax_selected, .moe = {true, true, true, true}, .windows = {16, 0, 16, 0}},
    {.fixture = "gpt-oss-mxfp4", .family = "gpt_oss", .layers = 4, .hidden = 96, .vocab = 320, .context = 2048, .heads = 8,
     .kv_heads = 2, .head_dim = 16, .value_dim = 16, .theta = 150000, .scaling = RopeScaling::yarn,
     .cos_sin = magnitude(32, 1), .intermediate = 64, .experts = 6, .per_token = 2, .moe_intermediate = 64,
     .score = RouterScore::softmax_selected, .moe = {true, true, true, true}, .windows = {16, 0, 16, 0}},
    {.fixture = "llama-linear", .family = "llama", .layers = 3, .hidden = 64, .vocab = 320, .context = 512, .heads = 4,
     .kv_heads = 4, .head_dim = 16, .value_dim = 16, .theta = 1e5, .scaling = RopeScaling::linear, .intermediate = 128,
     .windows = {0, 0, 0}},
    {.fixture = "llama3", .family = "llama", .layers = 3, .hidden = 64, .vocab = 384, .context = 1024, .heads = 8,
     .kv_heads = 2, .head_dim = 16, .value_dim = 16, .theta = 5e5, .scaling = RopeScaling::llama3, .intermediate = 176,
     .windows = {0, 0, 0}},
    {.fixture = "mistral", .family = "mistral", .layers = 3, .hidden = 64, .vocab = 320, .context = 512, .heads = 4,
     .kv_heads = 2, .head_dim = 16, .value_dim = 16, .intermediate = 160, .windows = {24, 24, 24}},
    {.fixture = "mixtral", .family = "mixtral", .layers = 2, .hidden = 64, .vocab = 320, .context = 512, .heads = 4,
     .kv_heads = 2, .head_dim = 16, .value_dim = 16, .theta = 1e6, .intermediate = 96, .experts = 6, .per_token = 2,
     .moe_intermediate = 96, .normalise = true, .moe = {true, true}, .windows = {0, 0}},
    {.fixture = "qwen2", .family = "qwen2", .layers = 3, .hidden = 64, .vocab = 320, .context = 512, .heads = 4,
     .kv_heads = 2, .head_dim = 16, .value_dim = 16, .intermediate = 160, .windows = {0, 0, 0}},
    {.fixture = "qwen3-moe", .family = "qwen3_moe", .layers = 3, .hidden = 64, .vocab = 320, .context = 512, .heads = 4,
     .kv_heads = 2, .head_dim = 16, .value_dim = 16, .theta = 1e6, .intermediate = 144, .experts = 8, .per_token = 3,
     .moe_intermediate = 32, .normalise = true, .moe = {true, false, true}, .windows = {0, 0, 0}},
    {.fixture = "qwen3-yarn", .family = "qwen3", .layers = 3, .hidden = 64, .vocab = 320, .context = 512, .heads = 4,
     .kv_heads = 2, .head_dim = 24, .value_dim = 24, .scale = 1 / std::sqrt(24.0), .theta = 1e6, .scaling = RopeScaling::yarn,
     .cos_sin = magnitude(4, 1), .intermediate = 160, .windows = {0, 0, 0}},
};
// clang-format on

void check_config(const Config& c, const Expected& e) {
  CHECK(c.family == e.family);
  CHECK(c.num_hidden_layers == e.layers);
  CHECK(c.hidden_size == e.hidden);
  CHECK(c.vocab_size == e.vocab);
  CHECK(c.max_position_embeddings == e.context);
  REQUIRE(std::int64_t(c.layers.size()) == e.layers);
  const model::AttentionSpec& attention = c.layers.front().attention;
  CHECK(c.layers.front().blocks.front() == e.attention);
  CHECK(attention.heads == e.heads);
  CHECK(attention.kv_heads == e.kv_heads);
  CHECK(attention.head_dim == e.head_dim);
  CHECK(attention.v_head_dim == e.value_dim);
  CHECK(c.q_lora_rank == e.q_rank);
  CHECK(c.kv_lora_rank == e.kv_rank);
  CHECK(double(attention.softmax_scale) == doctest::Approx(e.scale).epsilon(1e-6));
  CHECK(c.rope().theta == e.theta);
  CHECK(double(c.rope().cos_sin_factor) == doctest::Approx(e.cos_sin).epsilon(1e-6));
  if (e.experts == 0 || e.intermediate != e.moe_intermediate) CHECK(c.intermediate_size == e.intermediate);
  CHECK(c.router.experts == e.experts);
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    CHECK(c.layers[i].attention.sliding_window == e.windows[i]);
    CHECK(c.layers[i].routed == (e.experts > 0 && e.moe[i]));
    CHECK((c.layers[i].blocks.back() == &model::kExperts) == c.layers[i].routed);
  }
  if (e.experts == 0) return;
  CHECK(c.router.experts_per_token == e.per_token);
  CHECK(c.moe_intermediate_size == e.moe_intermediate);
  CHECK(c.n_shared_experts == e.shared);
  CHECK(c.router.score == e.score);
  CHECK(c.router.groups == e.groups);
  CHECK(c.router.groups_kept == e.groups_kept);
  CHECK(c.router.normalise == e.normalise);
  CHECK(double(c.router.scaling) == doctest::Approx(e.routed_scaling).epsilon(1e-6));
}

io::Checkpoint folder(std::string_view config) {
  io::Checkpoint checkpoint;
  checkpoint.path = "m";
  checkpoint.config = io::parse_json(config, "m/config.json");
  return checkpoint;
}

Config read(const io::Checkpoint& checkpoint) { return model::read_config(checkpoint, model::find_family(checkpoint)); }

}  // namespace

TEST_CASE("every fixture's configuration reads to its numbers") {
  for (const Expected& expected : kExpected) {
    CAPTURE(std::string(expected.fixture));
    const io::Checkpoint checkpoint = io::open_checkpoint(os_file_system(), test::fixture_folder(expected.fixture));
    const Config config = read(checkpoint);
    check_config(config, expected);
    CHECK(config.rope().scaling == expected.scaling);
    CHECK(config.rope().interleaved == expected.interleaved);
    model::validate(config, expected.fixture);
  }
}

// Files of Llama's kind hold permuted rows, so pairs are interleaved there; Llama 3's scaling arrives as frequency factors.
TEST_CASE("the same models as GGUF read to the same numbers") {
  for (const Expected& expected : kExpected) {
    if (!test::has_gguf_form(expected.fixture)) continue;
    for (const bool split : {true, false}) {
      CAPTURE(std::string(expected.fixture));
      CAPTURE(split);
      test::MemoryFileSystem files;
      test::GgufConversion conversion;
      conversion.split_latent = split;
      files.put("m.gguf", test::convert_to_gguf(test::fixture_folder(expected.fixture), conversion).finish());
      const io::Checkpoint checkpoint = io::open_checkpoint(files, "m.gguf");
      Config config = read(checkpoint);
      // GGUF does not tell Mistral from Llama.
      if (std::string_view(expected.family) == "mistral") {
        CHECK(config.family == "llama");
        config.family = "mistral";
      }
      check_config(config, expected);
      const bool llama3 = expected.scaling == RopeScaling::llama3;
      CHECK(config.rope().scaling == (llama3 ? RopeScaling::none : expected.scaling));
      CHECK(config.rope().frequency_divisors.empty() == !llama3);
      model::validate(config, expected.fixture);
    }
  }
}

TEST_CASE("the last letters of a family are in its flags") {
  const auto config = [](const char* fixture) {
    return read(io::open_checkpoint(os_file_system(), test::fixture_folder(fixture)));
  };
  CHECK(config("qwen2").qkv_bias);
  CHECK_FALSE(config("qwen2").output_bias);
  CHECK(config("qwen2").tie_word_embeddings);
  CHECK(config("qwen3-yarn").qk_norm);
  CHECK_FALSE(config("llama3").qkv_bias);
  const Config oss = config("gpt-oss");
  CHECK((oss.sinks && oss.qkv_bias && oss.output_bias && oss.expert_bias));
  CHECK(oss.activation == model::Activation::swiglu_oai);
  CHECK(oss.swiglu_limit == 7.0f);
  CHECK_FALSE(oss.rope().truncate);
  CHECK(config("deepseek-v3").correction_bias);
  CHECK_FALSE(config("deepseek-v2-lite").correction_bias);
  CHECK(config("deepseek-v3").router.group_score == nn::GroupScore::best_two);
  CHECK(config("deepseek-v2-group").router.group_score == nn::GroupScore::best);
  CHECK(config("deepseek-v3-mscale").qkv_bias);
}

TEST_CASE("an unknown architecture is refused by its name, with those that run") {
  test::check_error(Status::unsupported, {"m:", "'GPT2LMHeadModel'", "deepseek_v3", "gpt_oss"},
                    [] { model::find_family(folder(R"({"architectures": ["GPT2LMHeadModel"]})")); });
  test::check_error(Status::unsupported, {"'bert'"}, [] { model::find_family(folder(R"({"model_type": "bert"})")); });
  test::check_error(Status::unsupported, {"''"}, [] { model::find_family(folder(R"({"architectures": 3})")); });
  io::Checkpoint gguf = folder(R"({"general.architecture": "rwkv7"})");
  gguf.container = io::Container::gguf;
  test::check_error(Status::unsupported, {"'rwkv7'"}, [&] { model::find_family(gguf); });
}

TEST_CASE("a model type alone is enough to find the family") {
  CHECK(model::find_family(folder(R"({"model_type": "deepseek_v3"})")).name == "deepseek_v3");
  CHECK(model::find_family(folder(R"({"architectures": ["Qwen3ForCausalLM"]})")).name == "qwen3");
}

TEST_CASE("an expert selection nobody defined is refused") {
  test::MemoryCheckpoint checkpoint("deepseek-v2-lite");
  checkpoint.replace_in_config("\"greedy\"", "\"roulette\"");
  test::MemoryFileSystem files = checkpoint.files();
  test::check_error(Status::unsupported, {"'roulette'", "noaux_tc"}, [&] { read(io::open_checkpoint(files, "m")); });
}

TEST_CASE("experts scored otherwise than their family does are refused") {
  test::MemoryCheckpoint checkpoint("deepseek-v3");
  checkpoint.replace_in_config("\"sigmoid\"", "\"softmax\"");
  test::MemoryFileSystem files = checkpoint.files();
  test::check_error(Status::unsupported, {"m/config.json", "scoring_func 'softmax'", "sigmoid"},
                    [&] { read(io::open_checkpoint(files, "m")); });
}

TEST_CASE("Qwen's windows count only when they are switched on, from the layer that is given") {
  using Windows = std::vector<std::int64_t>;
  const auto windows = [](const std::string& more) {
    const Config c = read(
        folder(R"({"model_type": "qwen2", "num_hidden_layers": 3, "hidden_size": 64, "intermediate_size": 64, "vocab_size": 9,
                   "num_attention_heads": 4, "num_key_value_heads": 4, "sliding_window": 32)" +
               more + "}"));
    Windows out;
    for (const model::LayerSpec& layer : c.layers) out.push_back(layer.attention.sliding_window);
    return out;
  };
  CHECK(windows("") == Windows{0, 0, 0});
  CHECK(windows(R"(, "use_sliding_window": true, "max_window_layers": 1)") == Windows{0, 32, 32});
  CHECK(windows(R"(, "use_sliding_window": true, "layer_types": ["full_attention", "sliding_attention", "full_attention"])") ==
        Windows{0, 32, 0});
}

TEST_CASE("a configuration that leaves keys out has the defaults of its own class") {
  const auto small = [](const std::string& type, const std::string& more = "") {
    return read(folder(R"({"model_type": ")" + type + R"(", "num_hidden_layers": 1, "vocab_size": 9)" + more + "}"));
  };
  const Config mistral = small("mistral"), mixtral = small("mixtral"), oss = small("gpt_oss"), v3 = small("deepseek_v3");
  CHECK(mistral.attention.kv_heads == 8);
  CHECK(mistral.layers[0].attention.sliding_window == 4096);
  CHECK(small("mistral", R"(, "sliding_window": null)").layers[0].attention.sliding_window == 0);
  CHECK(mixtral.rms_norm_eps == 1e-5f);
  CHECK(mixtral.rope().theta == 1e6);
  CHECK(mixtral.router.experts_per_token == 2);
  CHECK(oss.rope().theta == 150000.0);
  CHECK(oss.attention.head_dim == 64);
  CHECK(v3.router.experts == 256);
  CHECK(v3.router.groups == 8);
  CHECK(v3.router.groups_kept == 4);
  CHECK(v3.router.scaling == 2.5f);
  CHECK(v3.q_lora_rank == 1536);
  const Config nulls = small("deepseek_v3", R"(, "n_group": null, "topk_group": null, "q_lora_rank": null)");
  CHECK(nulls.router.groups == 1);
  CHECK(nulls.q_lora_rank == 0);
  test::check_error(Status::corrupt_file, {"m/config.json", "'num_experts_per_tok' is missing"},
                    [&] { small("deepseek_v2", R"(, "n_routed_experts": 8)"); });
}

TEST_CASE("rope_theta is found wherever transformers has kept it, and the scaling's own wins") {
  const auto theta = [](const std::string& keys) {
    return read(folder(R"({"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 64, "vocab_size": 9,
                           "num_attention_heads": 4, )" +
                       keys + "}"))
        .rope()
        .theta;
  };
  CHECK(theta(R"("rope_theta": 5e5)") == 5e5);
  CHECK(theta(R"("rope_parameters": {"rope_type": "default", "rope_theta": 5e5})") == 5e5);
  CHECK(theta(R"("rope_scaling": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5})") == 5e5);
  CHECK(theta(R"("rope_theta": 10000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5})") == 5e5);
  CHECK(theta(R"("rope_theta": 3e4, "rope_scaling": {"rope_type": "linear", "factor": 2.0})") == 3e4);
}

TEST_CASE("keys that change numbers are used, or refused by name; keys of training and files are not") {
  const auto llama = [](const std::string& more) {
    return folder(R"({"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 64, "vocab_size": 9,
                      "num_attention_heads": 4)" +
                  more + "}");
  };
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "residual_multiplier",
                          "embedding_multiplier", "clip_qkv", "use_qk_norm", "num_local_experts"}) {
    CAPTURE(std::string(key));
    test::check_error(Status::unsupported, {"m/config.json", "'" + std::string(key) + "'", "llama"},
                      [&] { read(llama(", \"" + std::string(key) + "\": 7")); });
    read(llama(", \"" + std::string(key) + "\": null"));
  }
  read(llama(R"(, "logit_scale": 1.0, "residual_multiplier": 1)"));
  test::check_error(Status::unsupported, {"'long_factor'"},
                    [&] { read(llama(R"(, "rope_scaling": {"rope_type": "linear", "factor": 2, "long_factor": [1]})")); });
  test::check_error(Status::unsupported, {"layer_types", "'chunked_attention'"},
                    [&] { read(llama(R"(, "layer_types": ["chunked_attention"])")); });
  const io::Checkpoint extra = llama(R"(, "torch_dtype": "bfloat16", "use_cache": true, "my_note": "hello")");
  std::vector<std::string> unknown;
  model::read_config(extra, model::find_family(extra), &unknown);
  CHECK(unknown == std::vector<std::string>{"my_note"});
}

TEST_CASE("GGUF keys that change numbers are used, or refused by name") {
  const auto llama = [](const std::string& more) {
    io::Checkpoint checkpoint =
        folder(R"({"general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 64,
                                           "llama.attention.head_count": 4, "llama.feed_forward_length": 64,
                                           "llama.vocab_size": 9)" +
               more + "}");
    checkpoint.container = io::Container::gguf;
    return checkpoint;
  };
  read(llama(R"(, "llama.rope.scaling.finetuned": true, "general.name": "x", "tokenizer.ggml.model": "gpt2")"));
  for (const char* key : {"attn_logit_softcapping", "logit_scale", "attention.max_alibi_bias", "rope.freq_base_swa"}) {
    CAPTURE(std::string(key));
    test::check_error(Status::unsupported, {"m:", "'" + std::string(key) + "'"},
                      [&] { read(llama(", \"llama." + std::string(key) + "\": 7.5")); });
  }
}

TEST_CASE("names are the family's own where it has one, the mechanisms' elsewhere, and empty where there is none") {
  using enum io::Container;
  const auto name = [](const model::Family& family, io::Container container, const model::TensorName& which,
                       std::int64_t layer = 0, std::int64_t expert = 0) {
    return model::tensor_name(family.names(container), container, which, layer, expert);
  };
  CHECK(name(model::kLlama, huggingface, model::kAttnQ, 7) == "model.layers.7.self_attn.q_proj.weight");
  CHECK(name(model::kLlama, gguf, model::kAttnQ, 7) == "blk.7.attn_q.weight");
  CHECK(name(model::kMixtral, huggingface, model::kExpertUp, 2, 5) == "model.layers.2.block_sparse_moe.experts.5.w3.weight");
  CHECK(name(model::kDeepseekV3, huggingface, model::kExpertUp, 2, 5) == "model.layers.2.mlp.experts.5.up_proj.weight");
  CHECK(name(model::kGptOss, gguf, model::kFfnNorm, 0) == "blk.0.post_attention_norm.weight");
  CHECK(name(model::kDeepseekV3, huggingface, model::kAttnKB).empty());
}
