// Attention on the latents themselves: W_UK is absorbed into the query, W_UV applied to what attention returns (DeepSeek-V2,
// section 2.1.2), in rounds of three stages: queries of a panel of rows go down, blocks of the context are attended to side by
// side, and what they came to is merged. Heads and blocks spread over all workers, and no unit grows with the context.
#include <cstring>

#include "model/attention/latent/absorbed_rounds.hpp"
#include "model/attention/latent/latent.hpp"
#include "nn/bf16_attention.hpp"
#include "nn/fixed_attention.hpp"

namespace fathom::model {
namespace {

std::int64_t latent_width(const Config& c) { return c.kv_lora_rank + c.qk_rope_head_dim; }

// The query of head `head` in `rows` rows, in the latents' space and scaled; out is [rows, width].
void absorb(Pass& pass, Place at, std::int64_t head, std::int64_t first_row, std::int64_t rows, float* out, Worker& worker) {
  const Config& c = pass.config();
  const std::int64_t width = latent_width(c);
  const float* q = pass.scratch<LatentScratch>(at).q.row(first_row) + head * pass.attention(at).head_dim;
  pass.weights<LatentWeights>(at).heads.absorb_query(pass.kernels, head, q, pass.scratch<LatentScratch>(at).q.stride, rows, out,
                                                     width, worker.linear);
  for (std::int64_t r = 0; r < rows; ++r) {
    float* row = out + r * width;
    std::memcpy(row + c.kv_lora_rank, q + r * pass.scratch<LatentScratch>(at).q.stride + c.qk_nope_head_dim,
                std::size_t(c.qk_rope_head_dim) * sizeof(float));
    pass.kernels.scale(pass.attention(at).softmax_scale, row, width);
  }
}

// What `latents` [rows, kv_lora_rank] of head `head` are as values.
void expand_value(Pass& pass, Place at, std::int64_t head, std::int64_t first_row, std::int64_t rows, const float* latents,
                  Worker& worker) {
  const Config& c = pass.config();
  pass.weights<LatentWeights>(at).heads.expand_value(
      pass.kernels, head, latents, c.kv_lora_rank, rows,
      pass.scratch<LatentScratch>(at).heads.row(first_row) + head * pass.attention(at).v_head_dim,
      pass.scratch<LatentScratch>(at).heads.stride, worker.linear);
}

// A piece of memory handed out front to back.
struct LocalMemory {
  float* next;
  float* floats(std::int64_t count) { return std::exchange(next, next + (count + 1) / 2 * 2); }
  std::int64_t* ints(std::int64_t count) { return reinterpret_cast<std::int64_t*>(floats(2 * count)); }
  nn::SoftmaxState state(std::int64_t rows, std::int64_t width) {
    return {floats(rows * width), width, floats(rows), floats(rows)};
  }
};

// Adds one block of the context.
void attend_block(const Pass& pass, Place at, const nn::KvCache& cache, const nn::QueryRows& queries, std::int64_t block,
                  const nn::SoftmaxState& state, LocalMemory& local, void* bf16_scratch) {
  const Config& c = pass.config();
  const std::int64_t rank = c.kv_lora_rank, width = latent_width(c);
  nn::OnlineSoftmax softmax(pass.kernels, queries, rank, state, local.floats(nn::OnlineSoftmax::floats(queries.rows)));
  softmax.begin();
  const std::int64_t last = *std::max_element(queries.positions, queries.positions + queries.rows);
  const auto latents = [&](std::int64_t page) { return cache.page(at.layer, page, 0); };
  const auto values = [&](std::int64_t page) {
    kernels::WeightRows rows = latents(page);
    rows.cols = rank;
    return rows;
  };
  const auto for_block_pages = [&](auto add) {
    for (std::int64_t page = block * kBlockPages; page < (block + 1) * kBlockPages; ++page) {
      const std::int64_t first = page * nn::KvCache::kPageRows, count = std::min(nn::KvCache::kPageRows, last + 1 - first);
      if (count <= 0) return;
      add(page, first, count);
    }
  };
  if (pass.network.attends_in_bf16(cache.format())) {
    nn::Bf16Attention attention(pass.kernels, queries, width, rank, state, softmax, bf16_scratch);
    for_block_pages([&](std::int64_t page, std::int64_t first, std::int64_t count) {
      attention.add({latents(page), values(page), cache.format(), first, count});
    });
  } else if (nn::attends_in_fixed_point(pass.kernels, cache.format(), rank, width - rank)) {
    nn::FixedAttention attention(pass.kernels, queries, rank, width, state, softmax,
                                 local.floats(nn::FixedAttention::floats(queries.rows, width)));
    for_block_pages([&](std::int64_t page, std::int64_t first, std::int64_t count) {
      const bool another = page + 1 < (block + 1) * kBlockPages && first + count <= last;
      attention.add({latents(page), cache.format(), first, count}, another ? latents(page + 1).data : nullptr);
    });
  } else {
    for_block_pages([&](std::int64_t page, std::int64_t first, std::int64_t count) {
      softmax.add({latents(page), values(page), cache.format(), first, count});
    });
  }
}

// ---------------------------------------------------------------- queries

// Where the queries of a group lie: [heads, rows of the group, width].
float* queries_of(const Pass& pass, Place at, const AbsorbedRound& round, const RowGroup& group) {
  return pass.scratch<LatentScratch>(at).absorbed.row(group.first_row - round.first_row);
}

std::int64_t absorb_queries_units(const Pass& pass, Place at) {
  const AbsorbedRound round(pass, at);
  return round.opens_panel ? pass.attention(at).heads : 0;
}

void run_absorb_queries(Pass& pass, Place at, std::int64_t head, Worker& worker) {
  const AbsorbedRound round(pass, at);
  const std::int64_t width = latent_width(pass.config());
  float* absorbed = worker.local.data();  // [rows of the panel, width]
  absorb(pass, at, head, round.first_row, round.rows, absorbed, worker);
  round.for_groups([&](const RowGroup& group, const GroupShare&) {
    const float* rows = absorbed + (group.first_row - round.first_row) * width;
    std::memcpy(queries_of(pass, at, round, group) + head * group.rows * width, rows,
                std::size_t(group.rows * width) * sizeof(float));
  });
}

// ---------------------------------------------------------------- blocks of the context

// The states of a group's rows for heads from `head` on, in slots that begin at `slot`: [heads, rows of the group].
nn::SoftmaxState slot_state(const Pass& pass, Place at, std::int64_t slot, const RowGroup& group, std::int64_t head) {
  const LatentScratch& s = pass.scratch<LatentScratch>(at);
  const std::int64_t state = slot * pass.attention(at).heads + head * group.rows, rank = pass.config().kv_lora_rank;
  return {s.partial_out + state * rank, rank, s.partial_maximum + state, s.partial_sum + state};
}

std::int64_t attend_absorbed_units(const Pass& pass, Place at) { return AbsorbedRound(pass, at).count_units(); }

void run_attend_absorbed(Pass& pass, Place at, std::int64_t index, Worker& worker) {
  const AbsorbedRound round(pass, at);
  const AbsorbedUnit unit = round.find_unit(index);
  const RowGroup& group = unit.group;
  const std::int64_t width = latent_width(pass.config()), n = unit.heads * group.rows;
  LocalMemory local{worker.local.data()};
  std::int64_t* positions = local.ints(n);
  for (std::int64_t i = 0; i < n; ++i) positions[i] = pass.positions[std::size_t(group.first_row + i % group.rows)];
  const nn::QueryRows queries{queries_of(pass, at, round, group) + unit.first_head * group.rows * width, width, n, positions,
                              0};
  attend_block(pass, at, *group.span->cache, queries, unit.block, slot_state(pass, at, unit.slot, group, unit.first_head),
               local, worker.linear.data());
}

// ---------------------------------------------------------------- values

std::int64_t expand_values_units(const Pass& pass, Place at) {
  return AbsorbedRound(pass, at).rows > 0 ? pass.attention(at).heads : 0;
}

// Merges what the blocks of this round came to into the totals; in a panel's last round these become values.
void run_expand_values(Pass& pass, Place at, std::int64_t head, Worker& worker) {
  const std::int64_t rank = pass.config().kv_lora_rank;
  const AbsorbedRound round(pass, at);
  LocalMemory local{worker.local.data()};
  const nn::SoftmaxState values = local.state(round.rows, rank);
  round.for_groups([&](const RowGroup& group, const GroupShare& share) {
    const std::int64_t row = group.first_row - round.first_row;
    const nn::SoftmaxState here{values.out + row * rank, rank, values.maximum + row, values.sum + row};
    const nn::SoftmaxState total = round.keeps_totals ? slot_state(pass, at, row, group, head) : here;
    const nn::QueryRows queries{nullptr, 0, group.rows, nullptr, 0};
    nn::OnlineSoftmax attention(pass.kernels, queries, rank, total, nullptr);
    if (share.count > 0 && share.first == 0) attention.begin();
    for (std::int64_t i = 0; i < share.count; ++i) {
      nn::merge_softmax(pass.kernels, group.rows, rank, slot_state(pass, at, share.first_slot + i * group.rows, group, head),
                        total);
    }
    if (!round.closes_panel) return;
    attention.finish(nullptr);
    if (round.keeps_totals) std::memcpy(here.out, total.out, std::size_t(group.rows * rank) * sizeof(float));
  });
  if (round.closes_panel) expand_value(pass, at, head, round.first_row, round.rows, values.out, worker);
}

bool another_round(const Pass& pass, Place at) {
  const AbsorbedRound round(pass, at);
  return round.rows > 0 && !round.closes_pass;
}

}  // namespace

constexpr StageKind kAbsorbQueries{"absorb_queries", Part::attention, absorb_queries_units, run_absorb_queries};
constexpr StageKind kAttendAbsorbed{"attend_absorbed", Part::attention, attend_absorbed_units, run_attend_absorbed};
constexpr StageKind kExpandValues{
    "expand_values", Part::attention, expand_values_units, run_expand_values, nullptr, another_round, 3};

}  // namespace fathom::model
