// The experts' choices of a pass, kept until the pass that follows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/allocator.hpp"
#include "model/config/config.hpp"

namespace fathom::model {

class RouteTrace {
 public:
  RouteTrace(const Config& config, std::int64_t rows);

  static std::int64_t bytes_for(const Config& config, std::int64_t rows);
  // Takes the memory, bytes_for() of it; without it nothing is kept. Throws Error{out_of_memory}, and is then as it was.
  void start(Allocator& allocator);
  // ids and weights [rows, experts_per_token] of layer `layer`.
  void keep(int layer, std::span<const std::int32_t> ids, std::span<const float> weights) noexcept;
  // Of a row in mixture layer `moe_layer`, counted from the first: [experts_per_token].
  std::span<const std::int32_t> ids(std::int64_t moe_layer, std::int64_t row) const noexcept;
  std::span<const float> weights(std::int64_t moe_layer, std::int64_t row) const noexcept;

 private:
  std::size_t place(std::int64_t moe_layer, std::int64_t row) const noexcept;

  std::int64_t rows_, per_token_, moe_layers_ = 0;
  std::vector<int> moe_index_;  // [layers] index among mixture layers, -1 for dense ones
  Buffer ids_, weights_;        // [moe layers, rows, experts_per_token]
};

}  // namespace fathom::model
