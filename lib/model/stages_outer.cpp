// The ends of a pass: tokens to rows, rows to logits.
#include "model/stage_support.hpp"
#include "nn/decode_row.hpp"
#include "nn/rope.hpp"

namespace fathom::model::stages {
namespace {

// x = embedding[id]; and the rotary angles of the row's position, which every layer uses.
void run_embed(Pass& pass, int, std::int64_t unit, Worker& worker) {
  const Config& c = pass.config();
  for_rows(unit, pass.rows, [&](std::int64_t r) {
    nn::decode_row(pass.kernels, pass.network.weights.token_embd, pass.ids[std::size_t(r)], worker.local.data(),
                   pass.ws.x.row(r));
    nn::rope_angles(pass.network.rope_frequencies, c.rope.cos_sin_factor, pass.positions[std::size_t(r)], pass.ws.cos.row(r),
                    pass.ws.sin.row(r));
  });
}

std::int64_t final_norm_units(const Pass& pass, int) { return row_units(pass.head_rows); }

void run_final_norm(Pass& pass, int, std::int64_t unit, Worker&) {
  const Config& c = pass.config();
  const Weights& w = pass.network.weights;
  ActivationForms forms;
  forms.add(w.output.form(pass.head_rows));
  for_rows(unit, pass.head_rows, [&](std::int64_t r) {
    float* out = pass.ws.normed.row(r);
    pass.kernels.rms_norm(pass.ws.x.row(pass.head_row[std::size_t(r)]), w.output_norm, c.rms_norm_eps, c.hidden_size, out);
    pass.ws.normed_rounded.store(pass.kernels, forms, r, c.hidden_size, 0, c.hidden_size, out);
  });
}

std::int64_t logits_units(const Pass& pass, int) {
  const nn::Linear* head[] = {&pass.network.weights.output};
  return count_column_tiles(head, pass.worker_count(), tile_limits(pass.head_rows));
}

void run_logits(Pass& pass, int, std::int64_t unit, Worker& worker) {
  const nn::Linear* head[] = {&pass.network.weights.output};
  const ColumnTile tile = find_column_tile(head, unit, pass.worker_count(), tile_limits(pass.head_rows));
  const Activations x = pass.ws.normed_rounded.rows(pass.ws.normed.slice(0, pass.head_rows));
  head[0]->multiply(x, pass.ws.logits, tile.first, tile.last, worker.linear);
}

}  // namespace

constexpr StageKind embed{"embed", Part::other, all_row_units, run_embed};
constexpr StageKind final_norm{"final_norm", Part::head, final_norm_units, run_final_norm};
constexpr StageKind logits{"logits", Part::head, logits_units, run_logits};

}  // namespace fathom::model::stages
