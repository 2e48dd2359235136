// Running totals of a session's routes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fathom/routing.hpp"
#include "model/config/config.hpp"

namespace fathom {

class RouteCounter {
 public:
  // Counts nothing.
  RouteCounter() = default;
  explicit RouteCounter(const model::Config& config) : layers_(std::size_t(config.num_hidden_layers)) {
    for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
      const std::size_t experts = config.is_moe(layer) ? std::size_t(config.router.experts) : 0;
      layers_[std::size_t(layer)] = {std::vector<std::uint64_t>(experts), std::vector<double>(experts)};
    }
  }

  bool counts() const noexcept { return !layers_.empty(); }
  const RouteTotals& layer(std::int64_t index) const { return layers_[std::size_t(index)]; }

  void count(std::int64_t layer, std::span<const std::int32_t> experts, std::span<const float> weights) noexcept {
    if (!counts()) return;
    RouteTotals& totals = layers_[std::size_t(layer)];
    for (std::size_t i = 0; i < experts.size(); ++i) {
      ++totals.counts[std::size_t(experts[i])];
      totals.weights[std::size_t(experts[i])] += double(weights[i]);
    }
  }

  void clear() noexcept {
    for (RouteTotals& totals : layers_) {
      totals.counts.assign(totals.counts.size(), 0);
      totals.weights.assign(totals.weights.size(), 0.0);
    }
  }

 private:
  std::vector<RouteTotals> layers_;
};

}  // namespace fathom
