// The ends of a pass: tokens to rows, rows to logits.
#include "model/stage_support.hpp"
#include "nn/rope.hpp"

namespace fathom::model::stages {
namespace {

// out = embedding[id]. A table that is the head as well may be interleaved.
void look_up(const Pass& pass, std::int32_t id, float* out, Worker& worker) {
  const WeightView& table = pass.network.weights.token_embd;
  const auto decode_row = pass.kernels.decode_row[int(table.format)];
  if (!table.stored.interleaved) return decode_row(table.stored, id, 0, table.cols, out);
  kernels::WeightRows row = table.stored;
  auto* const stored = reinterpret_cast<std::uint8_t*>(worker.local.data());
  pass.kernels.take_row[int(table.format)](table.stored, id, stored);
  row.data = stored;
  row.interleaved = 0;
  decode_row(row, 0, 0, table.cols, out);
}

// x = embedding[id]; and the rotary angles of the row's position, which every layer uses.
void run_embed(Pass& pass, int, std::int64_t unit, Worker& worker) {
  const Config& c = pass.config();
  for_rows(unit, pass.rows, [&](std::int64_t r) {
    look_up(pass, pass.ids[std::size_t(r)], pass.ws.x.row(r), worker);
    nn::rope_angles(pass.network.rope_frequencies, c.rope.cos_sin_factor, pass.positions[std::size_t(r)], pass.ws.cos.row(r),
                    pass.ws.sin.row(r));
  });
}

std::int64_t final_norm_units(const Pass& pass, int) { return row_units(pass.head_rows); }

void run_final_norm(Pass& pass, int, std::int64_t unit, Worker&) {
  const Config& c = pass.config();
  const Weights& w = pass.network.weights;
  for_rows(unit, pass.head_rows, [&](std::int64_t r) {
    float* out = pass.ws.normed.row(r);
    pass.kernels.rms_norm(pass.ws.x.row(pass.head_row[std::size_t(r)]), w.output_norm, c.rms_norm_eps, c.hidden_size, out);
    if (w.output.reads_quantised()) pass.ws.normed_q8.store(pass.kernels, r, c.hidden_size, 0, c.hidden_size, out);
  });
}

std::int64_t logits_units(const Pass& pass, int) {
  const nn::Linear* head[] = {&pass.network.weights.output};
  return count_column_tiles(head, pass.worker_count());
}

void run_logits(Pass& pass, int, std::int64_t unit, Worker& worker) {
  const nn::Linear* head[] = {&pass.network.weights.output};
  const ColumnTile tile = find_column_tile(head, unit, pass.worker_count());
  const Activations x{pass.ws.normed.slice(0, pass.head_rows), pass.ws.normed_q8.rows(pass.config().hidden_size)};
  head[0]->multiply(x, pass.ws.logits, tile.first, tile.last, worker.linear);
}

}  // namespace

constexpr StageKind embed{"embed", Part::other, all_row_units, run_embed};
constexpr StageKind final_norm{"final_norm", Part::head, final_norm_units, run_final_norm};
constexpr StageKind logits{"logits", Part::head, logits_units, run_logits};

}  // namespace fathom::model::stages
