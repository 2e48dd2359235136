#include "model/network.hpp"

namespace fathom::model {

nn::KvCacheShape Network::cache_shape(StorageFormat format) const {
  return {format, config.cache_parts(), int(config.num_hidden_layers)};
}

StorageFormat Network::automatic_cache_format() const { return rounds_activations ? StorageFormat::f16 : StorageFormat::f32; }

bool Network::attends_in_bf16(StorageFormat cache) const {
  return rounds_activations && cache != StorageFormat::f32 && engine->kernels.attention_bf16.products;
}

std::int64_t Network::moe_layers() const {
  std::int64_t count = 0;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) count += config.is_moe(layer);
  return count;
}

}  // namespace fathom::model
