#include "model/pass/network.hpp"

#include <algorithm>

namespace fathom::model {
namespace {

std::vector<CachePart> cache_parts(const Config& config, int layer) {
  std::vector<CachePart> parts;
  for (const Mechanism* mechanism : config.layer(layer).blocks) {
    if (mechanism->streams) mechanism->streams(config, layer, parts);
  }
  return parts;
}

}  // namespace

ActivationForms Block::input_forms(std::int64_t rows) const noexcept {
  ActivationForms forms;
  for (const nn::Linear* reader : readers) forms.add(reader->form(rows));
  for (const nn::Linear* gatherer : gatherers) forms.add(gatherer->forms(rows));
  return forms;
}

void Network::for_matrices(const MatrixVisitor& visit) const {
  if (output) visit({output.weights(), &output});
  for (const Layer& layer : layers) {
    for (const Block& block : layer.blocks) block.mechanism->matrices(block.weights, visit);
  }
}

ActivationForms Network::activation_forms(std::int64_t max_rows) const {
  ActivationForms forms;
  for_matrices([&](const MatrixUse& use) {
    if (use.linear) forms.add(use.linear->forms(max_rows));
  });
  return forms;
}

nn::KvCacheShape Network::cache_shape(StorageFormat format) const {
  nn::KvCacheShape shape;
  shape.format = format;
  for (int layer = 0; layer < int(config.num_hidden_layers); ++layer) {
    std::vector<std::int64_t>& widths = shape.layers.emplace_back();
    for (const CachePart& part : cache_parts(config, layer)) widths.push_back(part.width);
  }
  return shape;
}

StorageFormat Network::automatic_cache_format() const noexcept {
  return rounds_activations ? StorageFormat::f16 : StorageFormat::f32;
}

bool Network::attends_in_bf16(StorageFormat cache) const noexcept {
  return rounds_activations && cache != StorageFormat::f32 && engine->kernels.attention_bf16.products;
}

std::int64_t Network::moe_layers() const noexcept {
  return std::count_if(config.layers.begin(), config.layers.end(), [](const LayerSpec& layer) { return layer.routed; });
}

std::int64_t cache_values_per_token(const Config& config) {
  std::int64_t values = 0;
  for (int layer = 0; layer < int(config.num_hidden_layers); ++layer) {
    for (const CachePart& part : cache_parts(config, layer)) values += part.width;
  }
  return values;
}

bool caches_in_blocks(const Config& config, std::int64_t values) {
  for (int layer = 0; layer < int(config.num_hidden_layers); ++layer) {
    for (const CachePart& part : cache_parts(config, layer)) {
      if (part.width % values != 0 || part.cut % values != 0) return false;
    }
  }
  return true;
}

}  // namespace fathom::model
