// The choice of experts for one token: DeepSeek-V2 (section 2.1.2), DeepSeek-V3 (eq. 12-16), Mixtral, gpt-oss.
#pragma once

#include <cstdint>
#include <span>

namespace fathom::nn {

enum class RouterScore {
  softmax,           // over all experts
  sigmoid,           // DeepSeek-V3
  softmax_selected,  // gpt-oss: choose by logit, softmax over the chosen
};
enum class GroupScore { best, best_two };  // what ranks a group: its best choice score, or the sum of its two best

struct RouterConfig {
  std::int64_t experts = 0;
  std::int64_t experts_per_token = 0;
  RouterScore score = RouterScore::softmax;
  std::int64_t groups = 1;       // n_group
  std::int64_t groups_kept = 1;  // topk_group
  GroupScore group_score = GroupScore::best;
  bool normalise = false;  // norm_topk_prob
  float scaling = 1.0f;    // routed_scaling_factor
};

// What a host imposes on the choice of one layer; empty: nothing.
struct Steering {
  std::span<const std::uint8_t> allowed;  // [experts] 0: may not be chosen. At least experts_per_token are allowed
  std::span<const std::int32_t> forced;   // [experts_per_token] are chosen, ascending
};

// logits [experts] -> ids [experts_per_token], ascending, and the factors of their outputs.
// correction_bias [experts] or null enters the choice and the group ranking, not the factors.
// Ties go to the lower expert id. `scratch` holds 2 * experts + groups floats. Weights follow from the scores whoever chose;
// groups are only kept apart where they leave enough experts that are allowed.
void route(const RouterConfig& config, const float* logits, const float* correction_bias, std::int32_t* ids, float* weights,
           std::span<float> scratch, const Steering& steering = {}) noexcept;

inline std::int64_t router_scratch(const RouterConfig& config) { return 2 * config.experts + config.groups; }

}  // namespace fathom::nn
