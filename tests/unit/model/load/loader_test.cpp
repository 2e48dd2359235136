#include "model/load/loader.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "base/float_types.hpp"
#include "model/load/open_model.hpp"
#include "model/pass/pass_memory.hpp"
#include "support/check_error.hpp"
#include "unit/model/run_network.hpp"

using namespace fathom;
using test::check_error;
using test::MemoryCheckpoint;
using test::MemoryFileSystem;

namespace {

std::shared_ptr<const Engine> engine() {
  static const auto one = std::make_shared<const Engine>(int(detect_isa()), true);
  return one;
}

model::OpenedModel open(const MemoryCheckpoint& checkpoint, Allocator& allocator = heap_allocator(),
                        model::LoadOptions options = {}) {
  MemoryFileSystem files = checkpoint.files();
  return model::open_model("m", files, engine(), allocator, options);
}

// Loading and inspecting must agree: the same complaint, word for word.
void check_refused(const MemoryCheckpoint& checkpoint, Status status, std::initializer_list<std::string_view> pieces) {
  check_error(status, pieces, [&] { open(checkpoint); });
  MemoryFileSystem files = checkpoint.files();
  const model::ModelHeader header = model::inspect_model("m", files, engine());
  CHECK_FALSE(header.runs);
  for (const std::string_view piece : pieces) {
    CAPTURE(std::string(piece));
    CAPTURE(header.reason);
    CHECK(header.reason.find(piece) != std::string::npos);
  }
}

std::vector<float> logits_of(const MemoryCheckpoint& checkpoint) {
  const model::OpenedModel opened = open(checkpoint);
  return test::run_plainly(*opened.network, test::random_prompt(*opened.network, 12));
}

// Grants a number of requests, then none; counts what is outstanding.
class Rationed final : public Allocator {
 public:
  explicit Rationed(int granted) : left(granted) {}
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    if (left-- <= 0) return nullptr;
    ++outstanding;
    return heap_allocator().allocate(bytes, alignment, purpose);
  }
  void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    --outstanding;
    heap_allocator().release(memory, bytes, alignment, purpose);
  }
  int left, outstanding = 0;
};

// Each expert's gate and up as one [experts, 2 * width, hidden], down as [experts, hidden, width], as newer files have it.
void fuse_experts(MemoryCheckpoint& checkpoint, int layer, int experts) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".mlp.experts.";
  MemoryCheckpoint::Tensor gate_up{prefix + "gate_up_proj", {}, {}, {}}, down{prefix + "down_proj", {}, {}, {}};
  for (int e = 0; e < experts; ++e) {
    const std::string expert = prefix + std::to_string(e);
    const auto& gate = checkpoint.tensor(expert + ".gate_proj.weight");
    gate_up.type = down.type = gate.type;
    gate_up.shape = {experts, 2 * gate.shape[0], gate.shape[1]};
    down.shape = {experts, gate.shape[1], gate.shape[0]};
    gate_up.bytes += gate.bytes + checkpoint.tensor(expert + ".up_proj.weight").bytes;
    down.bytes += checkpoint.tensor(expert + ".down_proj.weight").bytes;
    for (const char* part : {".gate_proj.weight", ".up_proj.weight", ".down_proj.weight"}) checkpoint.remove(expert + part);
  }
  checkpoint.tensors.push_back(gate_up);
  checkpoint.tensors.push_back(down);
}

constexpr std::string_view kFp8Matrix = "model.layers.0.mlp.gate_proj.weight";

}  // namespace

TEST_CASE("a missing tensor is refused by its name, and so is a missing expert") {
  MemoryCheckpoint dense("llama3"), mixture("qwen3-moe"), biased("qwen2");
  dense.remove("model.layers.1.mlp.up_proj.weight");
  check_refused(dense, Status::corrupt_file, {"m:", "'model.layers.1.mlp.up_proj.weight' is missing", "llama", "3 layers"});
  mixture.remove("model.layers.2.mlp.experts.7.down_proj.weight");
  check_refused(mixture, Status::corrupt_file, {"'model.layers.2.mlp.experts.7.down_proj.weight' is missing"});
  biased.remove("model.layers.0.self_attn.k_proj.bias");
  check_refused(biased, Status::corrupt_file, {"'model.layers.0.self_attn.k_proj.bias' is missing"});
}

TEST_CASE("experts that are nowhere are missed by the name of the first") {
  MemoryCheckpoint checkpoint("mixtral");
  std::erase_if(checkpoint.tensors,
                [](const auto& one) { return one.name.find("layers.1.block_sparse_moe.experts") != std::string::npos; });
  check_refused(checkpoint, Status::corrupt_file, {"'model.layers.1.block_sparse_moe.experts.0.w1.weight' is missing"});
}

TEST_CASE("a tensor of another shape is refused with both shapes") {
  MemoryCheckpoint checkpoint("llama3");
  checkpoint.tensor("model.layers.0.mlp.down_proj.weight").shape = {176, 64};
  check_refused(checkpoint, Status::corrupt_file,
                {"model.safetensors", "'model.layers.0.mlp.down_proj.weight'", "[176, 64]", "expected [64, 176]"});
}

TEST_CASE("a type that nothing multiplies by is refused by its name") {
  MemoryCheckpoint checkpoint("llama3");
  checkpoint.tensor("model.layers.0.self_attn.q_proj.weight").type = "I16";
  check_refused(checkpoint, Status::unsupported, {"'model.layers.0.self_attn.q_proj.weight'", "I16"});
  MemoryCheckpoint norm("llama3");
  norm.tensor("model.norm.weight").type = "U16";
  check_refused(norm, Status::unsupported, {"'model.norm.weight'", "U16"});
}

// 4-bit weights mean nothing without their factors, which only gpt-oss's own layout says where to find.
TEST_CASE("bare 4-bit weights are refused instead of being read without factors") {
  MemoryCheckpoint checkpoint("llama3");
  auto& tensor = checkpoint.tensor("model.layers.0.self_attn.q_proj.weight");
  tensor.type = "F4";
  tensor.bytes.resize(tensor.bytes.size() / 4);
  check_refused(checkpoint, Status::unsupported, {"'model.layers.0.self_attn.q_proj.weight'", "F4"});
}

TEST_CASE("FP8 weights need factors of the right shape and type") {
  const std::string name(kFp8Matrix), factors = name + "_scale_inv";
  SUBCASE("there are none") {
    MemoryCheckpoint checkpoint("deepseek-v3-fp8");
    checkpoint.remove(factors);
    check_refused(checkpoint, Status::corrupt_file, {name, "without its factors", factors});
  }
  SUBCASE("one is too many") {
    MemoryCheckpoint checkpoint("deepseek-v3-fp8");
    auto& tensor = checkpoint.tensor(factors);
    tensor.shape = {3, 2};
    tensor.bytes.resize(3 * 2 * 4);
    check_refused(checkpoint, Status::corrupt_file, {factors, "[3, 2]", "expected [2, 2]"});
  }
  SUBCASE("they are of another type") {
    MemoryCheckpoint checkpoint("deepseek-v3-fp8");
    checkpoint.tensor(factors).type = "I32";
    check_refused(checkpoint, Status::unsupported, {factors, "I32", "expected F32"});
  }
  SUBCASE("the tiles they stand for have no size") {
    MemoryCheckpoint checkpoint("deepseek-v3-fp8");
    for (const char* sides : {"[0, 128]", "[128, -1]", "[128.5, 128]", "[128, \"x\"]"}) {
      MemoryCheckpoint edited = checkpoint;
      edited.config.replace(edited.config.find('[', edited.config.find("weight_block_size")),
                            edited.config.find(']', edited.config.find("weight_block_size")) -
                                edited.config.find('[', edited.config.find("weight_block_size")) + 1,
                            sides);
      check_refused(edited, Status::corrupt_file, {"weight_block_size"});
    }
  }
}

TEST_CASE("a tied model uses its embedding as head, or a head of its own; an untied one needs one") {
  MemoryCheckpoint tied("qwen2"), untied("llama3");
  CHECK(logits_of(tied).size() == 12 * 320);
  untied.remove("lm_head.weight");
  check_refused(untied, Status::corrupt_file, {"'lm_head.weight' is missing"});

  // The embedding once more as a head: the same numbers. With its values halved: half the logits.
  auto head = tied.tensor("model.embed_tokens.weight");
  head.name = "lm_head.weight";
  MemoryCheckpoint both = tied;
  both.tensors.push_back(head);
  CHECK(logits_of(both) == logits_of(tied));
  for (std::size_t i = 0; i < head.bytes.size(); i += 2) {
    std::uint16_t bits;
    std::memcpy(&bits, head.bytes.data() + i, 2);
    bits = f32_to_bf16(bf16_to_f32(bits) * 0.5f);
    std::memcpy(head.bytes.data() + i, &bits, 2);
  }
  both.tensors.back() = head;
  std::vector<float> half = logits_of(both);
  for (float& logit : half) logit *= 2.0f;
  CHECK(half == logits_of(tied));
}

TEST_CASE("experts stacked in one tensor compute what they compute one by one") {
  MemoryCheckpoint one_by_one("qwen3-moe");
  MemoryCheckpoint stacked = one_by_one;
  fuse_experts(stacked, 0, 8);
  fuse_experts(stacked, 2, 8);
  CHECK(logits_of(stacked) == logits_of(one_by_one));
  stacked.tensors.back().shape = {8, 32, 64};
  check_refused(stacked, Status::corrupt_file, {"experts.down_proj", "[8, 32, 64]", "expected [8, 64, 32]"});
}

TEST_CASE("whichever request for memory is refused, loading fails with nothing kept") {
  const MemoryCheckpoint checkpoint("gpt-oss");
  int requests = 0;
  for (;; ++requests) {
    Rationed allocator(requests);
    try {
      const model::OpenedModel opened = open(checkpoint, allocator);
      break;
    } catch (const Error& error) {
      REQUIRE(error.status() == Status::out_of_memory);
    }
    REQUIRE(allocator.outstanding == 0);
  }
  CHECK(requests > 10);
}

TEST_CASE("progress climbs to 1, and loading stops when it says so") {
  const MemoryCheckpoint checkpoint("llama3");
  for (const bool verify : {false, true}) {
    double last = -1.0;
    model::LoadOptions options;
    options.verify = verify;
    options.progress = [&](double done, std::string_view what) {
      CHECK(done >= last);
      CHECK_FALSE(what.empty());
      last = done;
      return true;
    };
    open(checkpoint, heap_allocator(), options);
    CHECK(last == 1.0);
    options.progress = [](double, std::string_view) { return false; };
    check_error(Status::cancelled, {"m:", "cancelled"}, [&] { open(checkpoint, heap_allocator(), options); });
  }
}

TEST_CASE("verification refuses the one weight that is no number, by tensor and index") {
  MemoryCheckpoint checkpoint("llama3");
  auto& tensor = checkpoint.tensor("model.layers.2.mlp.down_proj.weight");
  const std::uint16_t nan = 0x7fc0;
  std::memcpy(tensor.bytes.data() + 2 * 11001, &nan, 2);
  open(checkpoint);
  model::LoadOptions options;
  options.verify = true;
  check_error(Status::corrupt_file, {"'model.layers.2.mlp.down_proj.weight'", "value 11001", "nan"},
              [&] { open(checkpoint, heap_allocator(), options); });
}

TEST_CASE("what an opened model says of itself adds up") {
  const MemoryCheckpoint checkpoint("deepseek-v3");
  std::int64_t bytes = 0;
  for (const auto& tensor : checkpoint.tensors) bytes += std::int64_t(tensor.bytes.size());
  const model::OpenedModel opened = open(checkpoint);
  CHECK(opened.parameters == 352976);  // the fixture's manifest
  CHECK(opened.weight_bytes == bytes);
  CHECK(opened.network->automatic_cache_format() == StorageFormat::f32);
  CHECK(opened.network->moe_layers() == 2);
  CHECK(opened.network->cache_shape(StorageFormat::f16).layers == std::vector(3, std::vector<std::int64_t>{48}));
}

TEST_CASE("a tensor that takes part in the model and that nothing uses is refused by its name") {
  const auto with = [](const char* model, const std::string& name, std::int64_t size) {
    MemoryCheckpoint checkpoint(model);
    checkpoint.tensors.push_back({name, "F32", {size}, std::string(std::size_t(4 * size), '\0')});
    return checkpoint;
  };
  for (const char* name :
       {"model.layers.1.self_attn.q_proj.bias", "model.layers.0.mlp.up_proj.bias", "model.layers.2.self_attn.q_norm.weight",
        "model.layers.0.pre_feedforward_layernorm.weight", "lm_head.bias", "model.norm.bias"}) {
    CAPTURE(std::string(name));
    check_refused(with("llama3", name, 64), Status::unsupported, {"'" + std::string(name) + "'", "llama"});
  }
  for (const char* name : {"model.layers.0.self_attn.rotary_emb.inv_freq", "vision_tower.patch.weight",
                           "model.layers.3.mlp.up_proj.weight", "model.layers.0.self_attn.k_scale"}) {
    CAPTURE(std::string(name));
    const model::OpenedModel opened = open(with("llama3", name, 8));
    CHECK(opened.unused_tensors == std::vector<std::string>{name});
  }
}

TEST_CASE("biases of the feed-forward part are computed where the configuration says so, and must be there") {
  MemoryCheckpoint plain("llama3"), biased("llama3");
  biased.replace_in_config("\"mlp_bias\": false", "\"mlp_bias\": true");
  check_refused(biased, Status::corrupt_file, {"'model.layers.0.mlp.gate_proj.bias' is missing"});
  for (int layer = 0; layer < 3; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".mlp.";
    for (const auto& [part, size] : {std::pair{"gate_proj", 176}, {"up_proj", 176}, {"down_proj", 64}}) {
      biased.tensors.push_back({prefix + part + ".bias", "F32", {size}, std::string(std::size_t(4 * size), '\0')});
    }
  }
  CHECK(logits_of(biased) == logits_of(plain));  // biases of zero
  const float one = 1.0f;
  for (auto& tensor : biased.tensors) {
    if (tensor.name == "model.layers.2.mlp.down_proj.bias") std::memcpy(tensor.bytes.data(), &one, sizeof one);
  }
  CHECK(logits_of(biased) != logits_of(plain));
}

TEST_CASE("factors of FP8 weights may be BF16") {
  MemoryCheckpoint wide("deepseek-v3-fp8"), narrow("deepseek-v3-fp8");
  for (MemoryCheckpoint* checkpoint : {&wide, &narrow}) {
    for (auto& tensor : checkpoint->tensors) {
      if (!tensor.name.ends_with("_scale_inv")) continue;
      std::string bytes;
      for (std::size_t i = 0; i < tensor.bytes.size(); i += 4) {
        float factor;
        std::memcpy(&factor, tensor.bytes.data() + i, 4);
        const std::uint16_t bits = f32_to_bf16(factor);
        factor = bf16_to_f32(bits);
        if (checkpoint == &wide) std::memcpy(tensor.bytes.data() + i, &factor, 4);
        bytes.append(reinterpret_cast<const char*>(&bits), 2);
      }
      if (checkpoint == &narrow) {
        tensor.type = "BF16";
        tensor.bytes = bytes;
      }
    }
  }
  CHECK(logits_of(narrow) == logits_of(wide));
}

TEST_CASE("a checked network tells what sessions take, as the opened one does") {
  for (const char* name : {"deepseek-v3", "gpt-oss-mxfp4", "llama3"}) {
    CAPTURE(std::string(name));
    MemoryFileSystem files = MemoryCheckpoint(name).files();
    const model::ModelHeader header = model::inspect_model("m", files, engine());
    const model::OpenedModel opened = model::open_model("m", files, engine(), heap_allocator(), {});
    REQUIRE(header.network);
    CHECK(header.network->automatic_cache_format() == opened.network->automatic_cache_format());
    CHECK(model::PassMemory::bytes_for(*header.network, {64, 1, 2}) ==
          model::PassMemory::bytes_for(*opened.network, {64, 1, 2}));
    CHECK(header.network->cache_shape(StorageFormat::f16).page_bytes() ==
          opened.network->cache_shape(StorageFormat::f16).page_bytes());
  }
}
