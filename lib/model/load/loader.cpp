#include "model/load/loader.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "model/ends/ends.hpp"
#include "model/tensors/tensor_loader.hpp"
#include "model/tensors/unused_tensors.hpp"
#include "quant/formats.hpp"

namespace fathom::model {
namespace {

void report(const TensorLoader& t, double done, std::string_view what) {
  if (t.options.progress && !t.options.progress(done, what)) {
    fail(Status::cancelled, "{}: loading was cancelled", t.checkpoint.path);
  }
}

// Every value of every tensor that could be a weight is finite.
void verify_all(TensorLoader& t) {
  constexpr std::size_t kValues = 1 << 14;
  std::vector<float> values(kValues);
  const std::span<const io::TensorInfo> all = t.checkpoint.tensors->tensors();
  for (std::size_t n = 0; n < all.size(); ++n) {
    const io::TensorInfo& tensor = all[n];
    report(t, 0.5 * double(n) / double(all.size()), "verifying");
    if (!quant::find_format(tensor.format)) continue;
    const StorageLayout& layout = storage_layout(tensor.format);
    const std::span<const std::byte> bytes = t.checkpoint.tensors->bytes(tensor);
    const std::size_t blocks = bytes.size() / layout.block_bytes, step = kValues / layout.block_values;
    for (std::size_t b = 0; b < blocks; b += step) {
      const std::size_t count = std::min(step, blocks - b);
      const std::span<float> out(values.data(), count * layout.block_values);
      quant::decode(tensor.format, bytes.subspan(b * layout.block_bytes, count * layout.block_bytes), out);
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (!std::isfinite(out[i])) {
          fail(Status::corrupt_file, "{}: value {} is {}", t.describe(tensor), b * layout.block_values + i, out[i]);
        }
      }
    }
  }
}

// The matrices whose products with the rows a block is handed differ in what they read of them.
void collect_readers(Block& block) {
  const auto alike = [](const nn::Linear& a, const nn::Linear& b) { return a.reads_like(b); };
  const auto add = [&](std::vector<const nn::Linear*>& list, const nn::Linear* matrix) {
    const bool known = std::any_of(list.begin(), list.end(), [&](const nn::Linear* other) { return alike(*other, *matrix); });
    if (!known) list.push_back(matrix);
  };
  block.mechanism->matrices(block.weights, [&](const MatrixUse& use) {
    if (use.reads == MatrixUse::Reads::input) add(block.readers, use.linear);
    if (use.reads == MatrixUse::Reads::gathered) add(block.gatherers, use.linear);
  });
}

Layer load_layer(TensorLoader& t, int index, Network& network) {
  const LayerSpec& spec = t.config.layer(index);
  Layer layer;
  spec.residual->load(t, index, layer.residual);
  for (const Mechanism* mechanism : spec.blocks) {
    Block& block = layer.blocks.emplace_back();
    block.mechanism = mechanism;
    mechanism->load(t, index, block.weights);
    collect_readers(block);
    const auto known = std::find(network.mechanisms.begin(), network.mechanisms.end(), mechanism);
    block.scratch = std::size_t(known - network.mechanisms.begin());
    if (known == network.mechanisms.end()) network.mechanisms.push_back(mechanism);
  }
  return layer;
}

// A tied model may still carry a head of its own; an untied one without it is broken.
void load_ends(TensorLoader& t, Network& network) {
  const Config& c = t.config;
  const std::string name = t.name(kTokenEmbd), output = t.name(kOutput);
  WeightView embedding = t.matrix(name, c.vocab_size, c.hidden_size);
  network.output_norm = t.vector(t.name(kOutputNorm), c.hidden_size);
  if (t.find(output) || !c.tie_word_embeddings) {
    network.output = t.linear(output, c.vocab_size, c.hidden_size);
  } else {
    embedding = t.place(t.require(name), embedding, c.vocab_size);
    network.output = t.linear(embedding, t.bias_of(output, c.vocab_size, false));
  }
  network.token_embd = embedding;
}

// Are more than half of the weights in formats whose products round activations?
bool mostly_rounds(const Network& network) {
  std::int64_t rounding = 0, all = 0;
  network.for_matrices([&](const MatrixUse& use) {
    const std::int64_t values = use.weights.rows * use.weights.cols;
    all += values;
    if (use.linear && use.linear->form(1) == ActivationForm::quantised) rounding += values;
  });
  return 2 * rounding > all;
}

void make_plans(Network& network) {
  const Config& c = network.config;
  network.body.add(kEmbed);
  for (int layer = 0; layer < int(c.num_hidden_layers); ++layer) {
    const LayerSpec& spec = c.layer(layer);
    for (int block = 0; block < int(spec.blocks.size()); ++block) {
      const Place at{layer, block};
      spec.residual->enter(c, at, network.body);
      spec.blocks[std::size_t(block)]->plan(c, at, network.body);
      if (spec.residual->leave) spec.residual->leave(c, at, network.body);
    }
    network.body.end_layer();
  }
  network.head.add(kFinalNorm);
  network.head.add(kLogits);
}

LoadedWeights load_all(TensorLoader& t, Network& network) {
  const Config& c = network.config;
  const double verified = t.options.verify ? 0.5 : 0.0;  // the share of the work that verifying is
  if (t.options.verify && !t.dry()) verify_all(t);
  load_ends(t, network);
  for (int layer = 0; layer < int(c.num_hidden_layers); ++layer) {
    report(t, verified + (1.0 - verified) * double(layer) / double(c.num_hidden_layers), "loading layers");
    network.layers.push_back(load_layer(t, layer, network));
  }
  report(t, 1.0, "loading layers");
  LoadedWeights loaded{t.bytes(), t.take_placements(), check_unused_tensors(t)};
  network.owned = t.take_owned();
  network.rounds_activations = mostly_rounds(network);
  for (const nn::RopeConfig& rope : c.ropes) network.rope_frequencies.push_back(nn::rope_frequencies(rope));
  make_plans(network);
  return loaded;
}

}  // namespace

LoadedWeights load_network(io::Checkpoint& checkpoint, const Family& family, Allocator& allocator, const LoadOptions& options,
                           Network& network) {
  TensorLoader loader(checkpoint, family.names(checkpoint.container), network.config, *network.engine, &allocator, options);
  if (options.place) {
    LoadOptions unreported = options;
    unreported.progress = nullptr;
    Network counted;
    counted.engine = network.engine;
    counted.config = network.config;
    loader.reserve(check_network(checkpoint, family, unreported, counted).bytes.placed);
  }
  LoadedWeights loaded = load_all(loader, network);
  network.stored = std::move(checkpoint.tensors);
  return loaded;
}

LoadedWeights check_network(const io::Checkpoint& checkpoint, const Family& family, const LoadOptions& options,
                            Network& network) {
  TensorLoader loader(checkpoint, family.names(checkpoint.container), network.config, *network.engine, nullptr, options);
  return load_all(loader, network);
}

}  // namespace fathom::model
