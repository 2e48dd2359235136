#include "model/feed_forward/experts/experts.hpp"

#include <algorithm>

#include "model/pass/products.hpp"
#include "nn/router.hpp"

namespace fathom::model {
namespace {

void matrices(const Slot& slot, const MatrixVisitor& visit) {
  const ExpertWeights& w = slot.get<ExpertWeights>();
  visit({w.router.weights(), &w.router, MatrixUse::Reads::input});
  if (w.shared) visit_mlp(w.shared, MatrixUse::Reads::input, false, visit);
  for (const GatedMlp& expert : w.store.all()) visit_mlp(expert, MatrixUse::Reads::gathered, true, visit);
}

// Outputs of a round of routed experts: they are to stay in the caches until they are merged.
constexpr std::int64_t kRoundBytes = 2 << 20;

void memory(const Network& network, std::span<const int>, PassMemoryPlan& plan, Slot& slot) {
  const Config& c = network.config;
  const std::int64_t rows = plan.limits.rows, experts = c.router.experts, width = c.moe_intermediate_size;
  const std::int64_t slots = rows * c.router.experts_per_token;
  Arena& arena = plan.arena;
  ExpertScratch& s = slot.emplace<ExpertScratch>();
  s.shared = take_gated_scratch(plan, c.n_shared_experts * width);
  s.slot_gate = arena.matrix(slots, width);
  const std::int64_t round = std::clamp<std::int64_t>(kRoundBytes / std::int64_t(sizeof(float)) / c.hidden_size, 1, slots);
  float* const up = arena.take<float>(std::max(slots * width, round * c.hidden_size));
  s.slot_up = {up, slots, width};
  s.expert_out = {up, round, c.hidden_size};
  s.slot_rounded = arena.rounded(slots, width, plan.forms);
  s.router_logits = arena.matrix(rows, experts);
  s.route_ids = {arena.take<std::int32_t>(slots), std::size_t(slots)};
  s.route_weights = {arena.take<float>(slots), std::size_t(slots)};
  s.group_cursor = {arena.take<std::int32_t>(experts + 1), std::size_t(experts + 1)};
  s.groups.active = arena.take<std::int32_t>(experts);
  s.groups.first = arena.take<std::int32_t>(experts + 1);
  s.groups.row = arena.take<std::int32_t>(slots);
  s.groups.weight = arena.take<float>(slots);

  // Rows gathered, in halves of a float: F32; 8 bits with their scales and sums; one or three terms of BF16.
  const ActivationForms forms = plan.forms;
  const int halves =
      (forms.has(ActivationForm::f32) ? 2 : 0) + (forms.has(ActivationForm::quantised) ? 1 : 0) + forms.bf16_terms();
  const std::int64_t panel = std::min(kExpertPanel, rows);
  plan.want_local((panel + kernels::kBf16Rows) * (c.hidden_size + RoundedBuffer::kApart) * halves / 2);
  plan.want_local(nn::router_scratch(c.router));
}

void plan(const Config&, Place at, Plan& plan) {
  plan.add(kRouterLogits, at);
  plan.add(kChooseExperts, at);
  plan.add(kExpertsGateUp, at);
  plan.add(kRoutedDown, at);
  plan.add(kAddExperts, at);
  plan.add(kSharedDown, at);
}

}  // namespace

constexpr Mechanism kExperts{"experts", load_experts, matrices, nullptr, memory, plan};

}  // namespace fathom::model
