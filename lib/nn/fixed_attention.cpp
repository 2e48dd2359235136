#include "nn/fixed_attention.hpp"

#include <algorithm>

namespace fathom::nn {

static_assert(kernels::kFixedRows == KeyValuePage::kRows);

bool attends_in_fixed_point(const kernels::KernelTable& kernels, StorageFormat cache, std::int64_t rank,
                            std::int64_t rope_dim) noexcept {
  const auto fits = [](std::int64_t columns) { return columns % 16 == 0 && columns <= kernels::kFixedColumns; };
  return kernels.fixed_point.products && (cache == StorageFormat::f16 || cache == StorageFormat::q8_0) && fits(rank) &&
         fits(rope_dim);
}

std::int64_t FixedAttention::floats(std::int64_t rows, std::int64_t width) noexcept {
  return kernels::kFixedRows + 3 * rows + (rows * (width + kernels::kFixedRows) + kernels::kFixedRows * width + 1) / 2;
}

FixedAttention::FixedAttention(const kernels::KernelTable& kernels, const QueryRows& queries, std::int64_t rank,
                               std::int64_t width, const SoftmaxState& state, OnlineSoftmax& softmax, float* scratch) noexcept
    : kernels_(kernels),
      rows_(queries.rows),
      rank_(rank),
      state_(state),
      softmax_(softmax),
      page_scales_(scratch),
      query_scales_(page_scales_ + kernels::kFixedRows),
      weight_scales_(query_scales_ + 2 * rows_),
      weights_(reinterpret_cast<std::int16_t*>(weight_scales_ + rows_)),
      queries_(weights_ + rows_ * kernels::kFixedRows),
      page_(reinterpret_cast<std::uint16_t*>(queries_ + rows_ * width)) {
  for (std::int64_t i = 0; i < rows_; ++i) {
    const float* query = queries.data + i * queries.stride;
    std::int16_t* out = queries_ + i * width;
    query_scales_[2 * i] = kernels_.fixed_point.fix_row(query, nullptr, rank, kernels::kFixedLimit, out);
    query_scales_[2 * i + 1] =
        kernels_.fixed_point.fix_row(query + rank, nullptr, width - rank, kernels::kFixedLimit, out + rank);
  }
}

kernels::WeightRows FixedAttention::decode(const LatentPage& page) noexcept {
  constexpr std::int64_t kPiece = 256;  // columns decoded at a time; a multiple of every block
  float piece[kPiece];
  kernels::WeightRows decoded = page.rows;
  decoded.data = reinterpret_cast<const std::uint8_t*>(page_);
  decoded.row_bytes = decoded.cols * std::int64_t(sizeof(std::uint16_t));
  for (std::int64_t r = 0; r < page.count; ++r) {
    for (std::int64_t first = 0; first < decoded.cols; first += kPiece) {
      const std::int64_t count = std::min(kPiece, decoded.cols - first);
      kernels_.decode_row[int(page.format)](page.rows, r, first, count, piece);
      kernels_.f32_to_f16(piece, count, page_ + r * decoded.cols + first);
    }
  }
  return decoded;
}

void FixedAttention::add(const LatentPage& page, const std::uint8_t* next) noexcept {
  constexpr std::int64_t kRows = kernels::kFixedRows;
  float* scores = softmax_.scores();
  const bool as_stored = page.format == StorageFormat::f16;
  const kernels::WeightRows rows = as_stored ? page.rows : decode(page);
  kernels_.fixed_point.products(rows, page.count, rank_, queries_, query_scales_, rows_, page_scales_, scores);
  softmax_.weigh(page.first_position, page.count);
  for (std::int64_t i = 0; i < rows_; ++i) {
    weight_scales_[i] =
        kernels_.fixed_point.fix_row(scores + i * kRows, page_scales_, kRows, kernels::kFixedWeightLimit, weights_ + i * kRows);
  }
  kernels_.fixed_point.sums(rows, page.count, rank_, page_scales_, weights_, weight_scales_, rows_, as_stored ? next : nullptr,
                            state_.out, state_.out_stride);
}

}  // namespace fathom::nn
