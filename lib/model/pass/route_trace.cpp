#include "model/pass/route_trace.hpp"

#include <algorithm>

namespace fathom::model {

RouteTrace::RouteTrace(const Config& config, std::int64_t rows) : rows_(rows), per_token_(config.router.experts_per_token) {
  for (const LayerSpec& layer : config.layers) moe_index_.push_back(layer.routed ? int(moe_layers_++) : -1);
}

std::int64_t RouteTrace::bytes_for(const Config& config, std::int64_t rows) {
  const std::int64_t choices = RouteTrace(config, rows).moe_layers_ * rows * config.router.experts_per_token;
  return choices * std::int64_t(sizeof(std::int32_t) + sizeof(float));
}

void RouteTrace::start(Allocator& allocator) {
  if (ids_) return;
  const std::size_t slots = std::size_t(moe_layers_ * rows_ * per_token_);
  Buffer ids(allocator, slots * sizeof(std::int32_t), MemoryPurpose::scratch);
  weights_ = Buffer(allocator, slots * sizeof(float), MemoryPurpose::scratch);
  ids_ = std::move(ids);
}

std::size_t RouteTrace::place(std::int64_t moe_layer, std::int64_t row) const noexcept {
  return std::size_t((moe_layer * rows_ + row) * per_token_);
}

void RouteTrace::keep(int layer, std::span<const std::int32_t> ids, std::span<const float> weights) noexcept {
  if (!ids_) return;
  const std::size_t at = place(moe_index_[std::size_t(layer)], 0);
  std::copy(ids.begin(), ids.end(), ids_.as<std::int32_t>() + at);
  std::copy(weights.begin(), weights.end(), weights_.as<float>() + at);
}

std::span<const std::int32_t> RouteTrace::ids(std::int64_t moe_layer, std::int64_t row) const noexcept {
  return {ids_.as<std::int32_t>() + place(moe_layer, row), std::size_t(per_token_)};
}

std::span<const float> RouteTrace::weights(std::int64_t moe_layer, std::int64_t row) const noexcept {
  return {weights_.as<float>() + place(moe_layer, row), std::size_t(per_token_)};
}

}  // namespace fathom::model
