// Attention of long chunks over keys and values made from the latents, for all heads, a segment of the context at a time: in
// each round one stage makes them and the next adds them to every row's softmax. Units stay small however long the
// context is, and what rounds leave behind lies in the workspace.
#include <optional>

#include "model/attention/attention_units.hpp"
#include "model/attention/latent/latent.hpp"
#include "nn/bf16_attention.hpp"

namespace fathom::model {
namespace {

// What the current round works on.
struct Segment {
  const RowSpan* span = nullptr;
  std::int64_t first = 0, count = 0;  // positions
  bool last = false;                  // of all rounds
};

Segment segment_of(const Pass& pass) {
  Segment segment;
  std::int64_t round = pass.round;
  for (const RowSpan& span : pass.spans) {
    if (!expands(pass, span)) continue;
    segment.last = false;
    const std::int64_t positions = span.first_position + span.rows, rounds = (positions + kSegment - 1) / kSegment;
    if (segment.span == nullptr && round < rounds) {
      segment.span = &span;
      segment.first = round * kSegment;
      segment.count = std::min(kSegment, positions - segment.first);
      segment.last = round + 1 == rounds;
    }
    round -= rounds;
  }
  return segment;
}

bool another_round(const Pass& pass, Place) {
  const Segment segment = segment_of(pass);
  return segment.span && !segment.last;
}

// Keys [kSegment, head_dim] and values [kSegment, v_head_dim] of a head.
float* keys_of(const Pass& pass, Place at, std::int64_t head) {
  return pass.scratch<LatentScratch>(at).expanded_keys + head * kSegment * pass.attention(at).head_dim;
}
float* values_of(const Pass& pass, Place at, std::int64_t head) {
  return pass.scratch<LatentScratch>(at).expanded_values + head * kSegment * pass.attention(at).v_head_dim;
}

std::int64_t expand_latents_units(const Pass& pass, Place at) { return segment_of(pass).span ? pass.attention(at).heads : 0; }

void run_expand_latents(Pass& pass, Place at, std::int64_t head, Worker& worker) {
  const Config& c = pass.config();
  const AttentionSpec& a = pass.attention(at);
  const Segment segment = segment_of(pass);
  const std::int64_t rank = c.kv_lora_rank, nope = c.qk_nope_head_dim, page_rows = nn::KvCache::kPageRows;
  float *latents = worker.local.data(), *keys = keys_of(pass, at, head);  // latents [segment, rank]
  const nn::KvCache& cache = *segment.span->cache;
  const auto decode = pass.kernels.decode_row[int(cache.format())];
  for (std::int64_t i = 0; i < segment.count; ++i) {
    const std::int64_t position = segment.first + i;
    const kernels::WeightRows page = cache.page(at.layer, position / page_rows, 0);
    decode(page, position % page_rows, 0, rank, latents + i * rank);
    decode(page, position % page_rows, rank, c.qk_rope_head_dim, keys + i * a.head_dim + nope);
  }
  const nn::LatentHeads& heads = pass.weights<LatentWeights>(at).heads;
  const bool in_bf16 = pass.network.attends_in_bf16(cache.format());
  heads.expand_key(pass.kernels, head, latents, rank, segment.count, keys, a.head_dim, worker.linear, in_bf16);
  heads.expand_value(pass.kernels, head, latents, rank, segment.count, values_of(pass, at, head), a.v_head_dim, worker.linear);
}

std::int64_t attend_expanded_units(const Pass& pass, Place at) {
  const Segment segment = segment_of(pass);
  if (!segment.span) return 0;
  return (segment.span->rows + kQueryRows - 1) / kQueryRows * pass.attention(at).heads;
}

void run_attend_expanded(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const AttentionSpec& a = pass.attention(at);
  const Segment segment = segment_of(pass);
  const std::int64_t head = unit % pass.attention(at).heads, offset = unit / pass.attention(at).heads * kQueryRows;
  const std::int64_t first_row = segment.span->first_row + offset, rows = std::min(kQueryRows, segment.span->rows - offset);
  const std::int64_t last_position = pass.positions[std::size_t(first_row + rows - 1)];
  if (last_position < segment.first) return;

  float* q = pass.scratch<LatentScratch>(at).q.row(first_row) + head * a.head_dim;
  const nn::QueryRows queries{q, pass.scratch<LatentScratch>(at).q.stride, rows, pass.positions.data() + first_row, 0};
  const std::int64_t first_state = head * pass.memory.x.rows + first_row;
  const nn::SoftmaxState state{pass.scratch<LatentScratch>(at).heads.row(first_row) + head * a.v_head_dim,
                               pass.scratch<LatentScratch>(at).heads.stride,
                               pass.scratch<LatentScratch>(at).expanded_maximum + first_state,
                               pass.scratch<LatentScratch>(at).expanded_sum + first_state};
  nn::OnlineSoftmax attention(pass.kernels, queries, a.v_head_dim, state, worker.local.data());
  if (segment.first == 0) {
    for (std::int64_t r = 0; r < rows; ++r)
      pass.kernels.scale(a.softmax_scale, q + r * pass.scratch<LatentScratch>(at).q.stride, a.head_dim);
    attention.begin();
  }
  std::optional<nn::Bf16Attention> in_bf16;
  if (pass.network.attends_in_bf16(segment.span->cache->format())) {
    in_bf16.emplace(pass.kernels, queries, a.head_dim, a.v_head_dim, state, attention, worker.linear.data());
  }
  const std::int64_t page_rows = nn::KvCache::kPageRows, end = std::min(segment.count, last_position + 1 - segment.first);
  for (std::int64_t begin = 0; begin < end; begin += page_rows) {
    const nn::KeyValuePage here{float_rows(keys_of(pass, at, head) + begin * a.head_dim, a.head_dim),
                                float_rows(values_of(pass, at, head) + begin * a.v_head_dim, a.v_head_dim), StorageFormat::f32,
                                segment.first + begin, std::min(page_rows, end - begin)};
    in_bf16 ? in_bf16->add(here) : attention.add(here);
  }
  if (last_position < segment.first + kSegment) attention.finish(nullptr);
}

}  // namespace

constexpr StageKind kExpandLatents{"expand_latents", Part::attention, expand_latents_units, run_expand_latents};
constexpr StageKind kAttendExpanded{
    "attend_expanded", Part::attention, attend_expanded_units, run_attend_expanded, nullptr, another_round, 2};

}  // namespace fathom::model
