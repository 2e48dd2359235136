#include "nn/fixed_attention.hpp"

namespace fathom::nn {

static_assert(kernels::kFixedRows == KeyValuePage::kRows);

bool attends_in_fixed_point(const kernels::KernelTable& kernels, StorageFormat cache, std::int64_t rank, std::int64_t rope_dim) noexcept {
  const auto fits = [](std::int64_t columns) { return columns % 16 == 0 && columns <= kernels::kFixedColumns; };
  return kernels.fixed_point.products && cache == StorageFormat::f16 && fits(rank) && fits(rope_dim);
}

std::int64_t FixedAttention::floats(std::int64_t rows, std::int64_t width) noexcept {
  return kernels::kFixedRows + 3 * rows + (rows * (width + kernels::kFixedRows) + 1) / 2;
}

FixedAttention::FixedAttention(const kernels::KernelTable& kernels, const QueryRows& queries, std::int64_t rank, std::int64_t width,
                               const SoftmaxState& state, OnlineSoftmax& softmax, float* scratch) noexcept
    : fixed_point_(kernels.fixed_point),
      rows_(queries.rows),
      rank_(rank),
      state_(state),
      softmax_(softmax),
      page_scales_(scratch),
      query_scales_(page_scales_ + kernels::kFixedRows),
      weight_scales_(query_scales_ + 2 * rows_),
      weights_(reinterpret_cast<std::int16_t*>(weight_scales_ + rows_)),
      queries_(weights_ + rows_ * kernels::kFixedRows) {
  for (std::int64_t i = 0; i < rows_; ++i) {
    const float* query = queries.data + i * queries.stride;
    std::int16_t* out = queries_ + i * width;
    query_scales_[2 * i] = fixed_point_.fix_row(query, nullptr, rank, kernels::kFixedLimit, out);
    query_scales_[2 * i + 1] = fixed_point_.fix_row(query + rank, nullptr, width - rank, kernels::kFixedLimit, out + rank);
  }
}

void FixedAttention::add(const LatentPage& page, const std::uint8_t* next) noexcept {
  constexpr std::int64_t kRows = kernels::kFixedRows;
  float* scores = softmax_.scores();
  fixed_point_.products(page.rows, page.count, rank_, queries_, query_scales_, rows_, page_scales_, scores);
  softmax_.weigh(page.first_position, page.count);
  for (std::int64_t i = 0; i < rows_; ++i) {
    weight_scales_[i] =
        fixed_point_.fix_row(scores + i * kRows, page_scales_, kRows, kernels::kFixedWeightLimit, weights_ + i * kRows);
  }
  fixed_point_.sums(page.rows, page.count, rank_, page_scales_, weights_, weight_scales_, rows_, next, state_.out,
                    state_.out_stride);
}

}  // namespace fathom::nn
