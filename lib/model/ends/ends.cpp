#include "model/ends/ends.hpp"

#include "model/pass/products.hpp"
#include "nn/decode_row.hpp"
#include "nn/rope.hpp"

namespace fathom::model {
namespace {

// x = embedding[id]; and the rotary angles of the row's position, which every layer uses.
void run_embed(Pass& pass, Place, std::int64_t unit, Worker& worker) {
  const Config& c = pass.config();
  for_rows(unit, pass.rows, [&](std::int64_t r) {
    nn::decode_row(pass.kernels, pass.network.token_embd, pass.ids[std::size_t(r)], worker.local.data(), pass.memory.x.row(r));
    for (std::size_t i = 0; i < c.ropes.size(); ++i) {
      nn::rope_angles(pass.network.rope_frequencies[i], c.ropes[i].cos_sin_factor, pass.positions[std::size_t(r)],
                      pass.memory.ropes[i].cos.row(r), pass.memory.ropes[i].sin.row(r));
    }
  });
}

std::int64_t final_norm_units(const Pass& pass, Place) { return row_units(pass.head_rows); }

void run_final_norm(Pass& pass, Place, std::int64_t unit, Worker&) {
  const Config& c = pass.config();
  ActivationForms forms;
  forms.add(pass.network.output.form(pass.head_rows));
  for_rows(unit, pass.head_rows, [&](std::int64_t r) {
    float* out = pass.memory.normed.row(r);
    pass.kernels.rms_norm(pass.memory.x.row(pass.head_row[std::size_t(r)]), pass.network.output_norm, c.rms_norm_eps,
                          c.hidden_size, out);
    pass.memory.normed_rounded.store(pass.kernels, forms, r, c.hidden_size, 0, c.hidden_size, out);
  });
}

std::int64_t logits_units(const Pass& pass, Place) {
  const nn::Linear* head[] = {&pass.network.output};
  return count_column_tiles(head, pass.worker_count(), tile_limits(pass.head_rows));
}

void run_logits(Pass& pass, Place, std::int64_t unit, Worker& worker) {
  const nn::Linear* head[] = {&pass.network.output};
  const ColumnTile tile = find_column_tile(head, unit, pass.worker_count(), tile_limits(pass.head_rows));
  const Activations x = pass.memory.normed_rounded.rows(pass.memory.normed.slice(0, pass.head_rows));
  head[0]->multiply(x, pass.memory.logits, tile.first, tile.last, worker.linear);
}

}  // namespace

constexpr StageKind kEmbed{"embed", Part::other, all_row_units, run_embed};
constexpr StageKind kFinalNorm{"final_norm", Part::head, final_norm_units, run_final_norm};
constexpr StageKind kLogits{"logits", Part::head, logits_units, run_logits};

}  // namespace fathom::model
