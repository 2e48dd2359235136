// Attention on the latents themselves: W_UK is absorbed into the query, W_UV applied to what attention returns (DeepSeek-V2,
// section 2.1.2). Passes of few rows, that is generation, do it in three stages, so that heads and blocks of the context
// spread over all workers; otherwise a unit is a block of rows with a group of heads.
#include <cstring>

#include "model/latent_attention.hpp"

namespace fathom::model::stages {
namespace {

std::int64_t latent_width(const Config& c) { return c.kv_lora_rank + c.qk_rope_head_dim; }

// The query of head `head` in `rows` rows, in the latents' space and scaled; out is [rows, width], out_stride apart.
void absorb(Pass& pass, int layer, std::int64_t head, std::int64_t first_row, std::int64_t rows, float* out,
            std::int64_t out_stride, Worker& worker) {
  const Config& c = pass.config();
  const float* q = pass.ws.q.row(first_row) + head * c.head_dim;
  pass.layer(layer).attention.heads.absorb_query(pass.kernels, head, q, pass.ws.q.stride, rows, out, out_stride, worker.linear);
  for (std::int64_t r = 0; r < rows; ++r) {
    float* row = out + r * out_stride;
    std::memcpy(row + c.kv_lora_rank, q + r * pass.ws.q.stride + c.qk_nope_head_dim,
                std::size_t(c.qk_rope_head_dim) * sizeof(float));
    pass.kernels.scale(c.softmax_scale, row, latent_width(c));
  }
}

// What `latents` [rows, kv_lora_rank] of head `head` are as values.
void expand_value(Pass& pass, int layer, std::int64_t head, std::int64_t first_row, std::int64_t rows, const float* latents,
                  Worker& worker) {
  const Config& c = pass.config();
  pass.layer(layer).attention.heads.expand_value(pass.kernels, head, latents, c.kv_lora_rank, rows,
                                                 pass.ws.heads.row(first_row) + head * c.v_head_dim, pass.ws.heads.stride,
                                                 worker.linear);
}

// Adds one block of the context; `scores` is the softmax's scratch.
void attend_block(const Pass& pass, int layer, const nn::KvCache& cache, const nn::QueryRows& queries, std::int64_t block,
                  const nn::SoftmaxState& state, float* scores) {
  const Config& c = pass.config();
  nn::OnlineSoftmax attention(pass.kernels, queries, c.kv_lora_rank, state, scores);
  attention.begin();
  const std::int64_t last = *std::max_element(queries.positions, queries.positions + queries.rows);
  for (std::int64_t page = block * kBlockPages; page < (block + 1) * kBlockPages; ++page) {
    const std::int64_t first = page * nn::KvCache::kPageRows, count = std::min(nn::KvCache::kPageRows, last + 1 - first);
    if (count <= 0) return;
    attention.add({cache.page(layer, page, 0, latent_width(c)), cache.page(layer, page, 0, c.kv_lora_rank), cache.format(), first,
                   count});
  }
}

// Attends to the whole context, block by block. `block` is scratch for the state of one.
void attend_blocks(const Pass& pass, int layer, const nn::KvCache& cache, const nn::QueryRows& queries, const nn::SoftmaxState& total,
                   const nn::SoftmaxState& block, float* scores) {
  const std::int64_t rank = pass.config().kv_lora_rank;
  nn::OnlineSoftmax(pass.kernels, queries, rank, total, scores).begin();
  const std::int64_t last = *std::max_element(queries.positions, queries.positions + queries.rows);
  for (std::int64_t b = 0; b < count_context_blocks(last); ++b) {
    attend_block(pass, layer, cache, queries, b, block, scores);
    nn::merge_softmax(pass.kernels, queries.rows, rank, block, total);
  }
}

// A piece of memory handed out front to back.
struct LocalMemory {
  float* next;
  float* floats(std::int64_t count) { return std::exchange(next, next + (count + 1) / 2 * 2); }
  std::int64_t* ints(std::int64_t count) { return reinterpret_cast<std::int64_t*>(floats(2 * count)); }
  nn::SoftmaxState state(std::int64_t rows, std::int64_t width) { return {floats(rows * width), width, floats(rows), floats(rows)}; }
};

// ---------------------------------------------------------------- few rows: queries, blocks of the context, values

std::int64_t split_head_units(const Pass& pass, int) { return splits_context(pass) ? pass.config().num_attention_heads : 0; }

void run_absorb_queries(Pass& pass, int layer, std::int64_t head, Worker& worker) {
  const std::int64_t width = latent_width(pass.config()), heads = pass.config().num_attention_heads;
  absorb(pass, layer, head, 0, pass.rows, pass.ws.absorbed.data + head * width, heads * width, worker);
}

// The slots of partial results: one for each block of each row's context, or where they do not suffice one for each row.
struct Partials {
  explicit Partials(const Pass& of) : pass(of) {
    std::int64_t blocks = 0;
    for (std::int64_t row = 0; row < pass.rows; ++row) blocks += blocks_of(row);
    by_block = blocks <= pass.ws.partial_slots;
    slots = by_block ? blocks : pass.rows;
  }
  std::int64_t blocks_of(std::int64_t row) const { return count_context_blocks(pass.positions[std::size_t(row)]); }
  std::int64_t slots_of(std::int64_t row) const { return by_block ? blocks_of(row) : 1; }
  nn::SoftmaxState state(std::int64_t slot, std::int64_t head) const {
    const std::int64_t at = slot * pass.config().num_attention_heads + head, rank = pass.config().kv_lora_rank;
    return {pass.ws.partial_out + at * rank, rank, pass.ws.partial_maximum + at, pass.ws.partial_sum + at};
  }

  const Pass& pass;
  bool by_block = false;
  std::int64_t slots = 0;
};

constexpr std::int64_t kSplitHeads = 16;  // of a unit: reading a latent costs little beside its products with so many queries

const RowSpan& span_of(const Pass& pass, std::int64_t row) {
  return *std::find_if(pass.spans.begin(), pass.spans.end(), [&](const RowSpan& s) { return row < s.first_row + s.rows; });
}

std::int64_t split_units(const Pass& pass) {
  const Partials partials(pass);
  const std::int64_t group = heads_per_group(pass, kSplitHeads, partials.slots), heads = pass.config().num_attention_heads;
  return partials.slots * ((heads + group - 1) / group);
}

void run_split(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const Config& c = pass.config();
  const Partials partials(pass);
  const std::int64_t group = heads_per_group(pass, kSplitHeads, partials.slots);
  const std::int64_t groups = (c.num_attention_heads + group - 1) / group, slot = unit / groups;
  const std::int64_t first_head = unit % groups * group, n = std::min(group, c.num_attention_heads - first_head);
  std::int64_t row = 0, block = slot;
  for (; block >= partials.slots_of(row); ++row) block -= partials.slots_of(row);

  LocalMemory local{worker.local.data()};
  std::int64_t* positions = local.ints(n);
  std::fill_n(positions, n, pass.positions[std::size_t(row)]);
  const std::int64_t width = latent_width(c);
  const nn::QueryRows queries{pass.ws.absorbed.data + (row * c.num_attention_heads + first_head) * width, width, n, positions, 0};
  const nn::SoftmaxState state = partials.state(slot, first_head);
  const nn::KvCache& cache = *span_of(pass, row).cache;
  float* scores = local.floats(nn::OnlineSoftmax::floats(n));
  if (partials.by_block) {
    attend_block(pass, layer, cache, queries, block, state, scores);
  } else {
    attend_blocks(pass, layer, cache, queries, state, local.state(n, c.kv_lora_rank), scores);
  }
}

void run_expand_values(Pass& pass, int layer, std::int64_t head, Worker& worker) {
  const std::int64_t rank = pass.config().kv_lora_rank;
  const Partials partials(pass);
  LocalMemory local{worker.local.data()};
  const nn::SoftmaxState total = local.state(pass.rows, rank);
  for (std::int64_t row = 0, slot = 0; row < pass.rows; ++row) {
    const nn::QueryRows query{nullptr, 0, 1, nullptr, 0};
    const nn::SoftmaxState state{total.out + row * rank, rank, total.maximum + row, total.sum + row};
    nn::OnlineSoftmax attention(pass.kernels, query, rank, state, nullptr);
    attention.begin();
    for (std::int64_t end = slot + partials.slots_of(row); slot < end; ++slot) {
      nn::merge_softmax(pass.kernels, 1, rank, partials.state(slot, head), state);
    }
    attention.finish(nullptr);
  }
  expand_value(pass, layer, head, 0, pass.rows, total.out, worker);
}

// ---------------------------------------------------------------- many rows

constexpr std::int64_t kBlockRows = 8;

BlockShape absorbed_shape(const Pass& pass, const RowSpan& span) {
  if (expands(pass, span)) return {span.rows, 0};
  const std::int64_t rows = std::min(span.rows, kBlockRows), group = heads_per_group(pass, kQueryRows / rows);
  return {rows, (pass.config().num_attention_heads + group - 1) / group};
}

void run_block_of_rows(Pass& pass, int layer, const AttentionUnit& u, Worker& worker) {
  const Config& c = pass.config();
  const std::int64_t group = heads_per_group(pass, kQueryRows / std::min(u.span->rows, kBlockRows));
  const std::int64_t first_head = u.group * group, heads = std::min(group, c.num_attention_heads - first_head);
  const std::int64_t width = latent_width(c), rank = c.kv_lora_rank, n = heads * u.rows;  // queries: [heads, rows]
  LocalMemory local{worker.local.data()};
  float* q = local.floats(n * width);
  std::int64_t* positions = local.ints(n);
  for (std::int64_t h = 0; h < heads; ++h) {
    absorb(pass, layer, first_head + h, u.first_row, u.rows, q + h * u.rows * width, width, worker);
    std::copy_n(pass.positions.begin() + u.first_row, u.rows, positions + h * u.rows);
  }
  const nn::QueryRows queries{q, width, n, positions, 0};
  const nn::SoftmaxState total = local.state(n, rank), block = local.state(n, rank);
  float* scores = local.floats(nn::OnlineSoftmax::floats(n));
  attend_blocks(pass, layer, *u.span->cache, queries, total, block, scores);
  nn::OnlineSoftmax(pass.kernels, queries, rank, total, scores).finish(nullptr);
  for (std::int64_t h = 0; h < heads; ++h) {
    expand_value(pass, layer, first_head + h, u.first_row, u.rows, total.out + h * u.rows * rank, worker);
  }
}

std::int64_t attend_absorbed_units(const Pass& pass, int) {
  if (splits_context(pass)) return split_units(pass);
  return count_attention_units(pass, [&](const RowSpan& span) { return absorbed_shape(pass, span); });
}

void run_attend_absorbed(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  if (splits_context(pass)) return run_split(pass, layer, unit, worker);
  run_block_of_rows(pass, layer, find_attention_unit(pass, unit, [&](const RowSpan& span) { return absorbed_shape(pass, span); }),
                    worker);
}

}  // namespace

constexpr StageKind absorb_queries{"absorb_queries", Part::attention, split_head_units, run_absorb_queries};
constexpr StageKind attend_absorbed{"attend_absorbed", Part::attention, attend_absorbed_units, run_attend_absorbed};
constexpr StageKind expand_values{"expand_values", Part::attention, split_head_units, run_expand_values};

}  // namespace fathom::model::stages
