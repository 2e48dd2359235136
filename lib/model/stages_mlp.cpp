// The dense gated feed-forward layer (Shazeer, arXiv:2002.05202).
#include "model/gated_mlp.hpp"
#include "model/stage_support.hpp"

namespace fathom::model::stages {
namespace {

void run_ffn_norm(Pass& pass, int layer, std::int64_t unit, Worker&) {
  const LayerWeights& l = pass.layer(layer);
  const nn::Linear* readers[] = {&l.mlp.gate, &l.mlp.up, &l.experts.shared.gate, &l.experts.shared.up};
  ActivationForms forms = forms_of(pass, readers);
  for (const std::int32_t id : l.experts.store.distinct()) {
    const GatedMlp& expert = l.experts.store.expert(id);
    forms.add(expert.gate.forms(pass.rows));
    forms.add(expert.up.forms(pass.rows));
  }
  for_rows(unit, pass.rows, [&](std::int64_t row) { norm_row(pass, row, l.ffn_norm, forms); });
}

std::int64_t gate_up_units(const Pass& pass, int layer) { return count_gate_up_units(pass, pass.layer(layer).mlp); }

void run_gate_up(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  run_gate_up_unit(pass, pass.layer(layer).mlp, unit, worker);
}

std::int64_t down_units(const Pass& pass, int layer) { return count_down_units(pass, pass.layer(layer).mlp); }

void run_down(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  run_down_unit(pass, pass.layer(layer).mlp, unit, worker);
}

}  // namespace

constexpr StageKind ffn_norm{"ffn_norm", Part::other, all_row_units, run_ffn_norm};
constexpr StageKind gate_up{"gate_up", Part::mlp, gate_up_units, run_gate_up};
constexpr StageKind down{"down", Part::mlp, down_units, run_down};

}  // namespace fathom::model::stages
