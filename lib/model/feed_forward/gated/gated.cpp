#include "model/feed_forward/gated/gated.hpp"

#include "model/feed_forward/gated_mlp.hpp"
#include "model/tensors/tensor_loader.hpp"

namespace fathom::model {
namespace {

void load(TensorLoader& t, int layer, Slot& slot) {
  const Config& c = t.config;
  GatedMlp& mlp = slot.emplace<GatedMlp>();
  mlp.gate = t.linear(kFfnGate, layer, c.intermediate_size, c.hidden_size, c.mlp_bias);
  mlp.up = t.linear(kFfnUp, layer, c.intermediate_size, c.hidden_size, c.mlp_bias);
  mlp.down = t.linear(kFfnDown, layer, c.hidden_size, c.intermediate_size, c.mlp_bias);
}

void matrices(const Slot& slot, const MatrixVisitor& visit) {
  visit_mlp(slot.get<GatedMlp>(), MatrixUse::Reads::input, false, visit);
}

void memory(const Network& network, std::span<const int>, PassMemoryPlan& plan, Slot& slot) {
  slot.emplace<GatedScratch>() = take_gated_scratch(plan, network.config.intermediate_size);
}

std::int64_t gate_up_units(const Pass& pass, Place at) { return count_gate_up_units(pass, pass.weights<GatedMlp>(at)); }

void run_gate_up(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  run_gate_up_unit(pass, pass.weights<GatedMlp>(at), pass.scratch<GatedScratch>(at), unit, worker);
}

std::int64_t down_units(const Pass& pass, Place at) { return count_down_units(pass, pass.weights<GatedMlp>(at)); }

void run_down(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  run_down_unit(pass, at, pass.weights<GatedMlp>(at), pass.scratch<GatedScratch>(at), unit, worker);
}

constexpr StageKind kGateUp{"gate_up", Part::mlp, gate_up_units, run_gate_up};
constexpr StageKind kDown{"down", Part::mlp, down_units, run_down};

void plan(const Config&, Place at, Plan& plan) {
  plan.add(kGateUp, at);
  plan.add(kDown, at);
}

}  // namespace

constexpr Mechanism kGated{"gated", load, matrices, nullptr, memory, plan};

}  // namespace fathom::model
