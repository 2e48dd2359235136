#include "kernels/watch.hpp"

#include <array>
#include <cstddef>
#include <utility>

#include "base/storage_format.hpp"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FATHOM_THREAD_SANITIZER
#endif
#elif defined(__SANITIZE_THREAD__)
#define FATHOM_THREAD_SANITIZER
#endif

#ifdef FATHOM_THREAD_SANITIZER
extern "C" void __tsan_read_range(void* address, unsigned long bytes);
extern "C" void __tsan_write_range(void* address, unsigned long bytes);
#else
#include <sanitizer/asan_interface.h>
#endif

namespace fathom::kernels {
namespace {

#ifdef FATHOM_THREAD_SANITIZER
void see(const void* at, std::int64_t bytes, bool written) {
  if (bytes <= 0) return;
  void* const address = const_cast<void*>(at);
  written ? __tsan_write_range(address, std::size_t(bytes)) : __tsan_read_range(address, std::size_t(bytes));
}
#else
// Touches the first byte that must not be touched, where there is one: the report is that of any other access.
void see(const void* at, std::int64_t bytes, bool written) {
  if (bytes <= 0) return;
  if (void* bad = __asan_region_is_poisoned(const_cast<void*>(at), std::size_t(bytes))) {
    volatile char* const byte = static_cast<volatile char*>(bad);
    const char value = *byte;
    if (written) *byte = value;
  }
}
#endif

template <typename T>
void reads(const T* at, std::int64_t count) {
  see(at, count * std::int64_t(sizeof(T)), false);
}
template <typename T>
void writes(T* at, std::int64_t count) {
  see(at, count * std::int64_t(sizeof(T)), true);
}

// [m, cols] with a distance between rows.
template <typename T>
void reads_rows(const T* at, std::int64_t m, std::int64_t cols, std::int64_t stride) {
  for (std::int64_t i = 0; i < m; ++i) reads(at + i * stride, cols);
}
template <typename T>
void writes_rows(T* at, std::int64_t m, std::int64_t cols, std::int64_t stride) {
  for (std::int64_t i = 0; i < m; ++i) writes(at + i * stride, cols);
}

// Bytes of `count` values of a format.
std::int64_t bytes_of(int format, std::int64_t count) {
  const StorageLayout& layout = storage_layout(StorageFormat(format));
  const std::int64_t block = layout.block_values;
  return (count + block - 1) / block * std::int64_t(layout.block_bytes);
}

// Columns [first_col, first_col + count) of rows [first, last), with their factors.
void reads_weights(int format, const WeightRows& w, std::int64_t first, std::int64_t last, std::int64_t first_col,
                   std::int64_t count) {
  if (first >= last) return;
  if (w.interleaved) {
    const std::int64_t begin = first / kInterleavedRows * kInterleavedRows;
    const std::int64_t end = (last + kInterleavedRows - 1) / kInterleavedRows * kInterleavedRows;
    reads(w.data + begin * w.row_bytes, (end - begin) * w.row_bytes);
  } else {
    const std::int64_t skipped = bytes_of(format, first_col);
    reads_rows(w.data + first * w.row_bytes + skipped, last - first, bytes_of(format, count), w.row_bytes);
  }
  if (!w.scales || count <= 0) return;
  const std::int64_t size = w.scale_is_e8m0 ? 1 : sizeof(float), tile = first_col / w.scale_cols;
  const std::int64_t tiles = (first_col + count - 1) / w.scale_cols - tile + 1;
  for (std::int64_t row = first / w.scale_rows; row <= (last - 1) / w.scale_rows; ++row) {
    reads(static_cast<const std::byte*>(w.scales) + (row * w.scale_stride + tile) * size, tiles * size);
  }
}
void reads_weights(int format, const WeightRows& w, std::int64_t first, std::int64_t last) {
  reads_weights(format, w, first, last, 0, w.cols);
}

// The functions of one table, each after its ranges. `real` is set once, before any of them can be called.
template <int kLevel>
struct Watched {
  static inline KernelTable real{};

  template <int kFormat>
  static void matmul_f32(const WeightRows& w, int64_t first, int64_t last, const float* x, int64_t x_stride, int64_t m,
                         float* y, int64_t y_stride) {
    reads_weights(kFormat, w, first, last);
    reads_rows(x, m, w.cols, x_stride);
    writes_rows(y + first, m, last - first, y_stride);
    real.matmul_f32[kFormat](w, first, last, x, x_stride, m, y, y_stride);
  }
  template <int kFormat>
  static void matmul_q8(const WeightRows& w, int64_t first, int64_t last, const QuantisedRows& x, int64_t m, float* y,
                        int64_t y_stride) {
    reads_weights(kFormat, w, first, last);
    reads(x.values, m * x.cols);
    reads(x.scales, m * x.cols / 32);
    reads(x.sums, m * x.cols / 16);
    writes_rows(y + first, m, last - first, y_stride);
    real.matmul_q8[kFormat](w, first, last, x, m, y, y_stride);
  }
  template <int kFormat>
  static void matmul_bf16(const WeightRows& w, int64_t first, int64_t last, const Bf16Rows& x, int64_t m, void* scratch,
                          float* y, int64_t y_stride) {
    reads_weights(kFormat, w, first, last);
    const int64_t rows = (m + kBf16Rows - 1) / kBf16Rows * kBf16Rows;
    for (int term = 0; term < (is_floating(kFormat) ? kBf16Terms : 1); ++term) {
      reads_rows(x.values + term * x.term_stride, rows, w.cols, x.stride);
    }
    writes(static_cast<std::byte*>(scratch), kBf16Scratch);
    writes_rows(y + first, m, last - first, y_stride);
    real.matmul_bf16[kFormat](w, first, last, x, m, scratch, y, y_stride);
  }
  template <int kFormat>
  static void accumulate_rows(const WeightRows& w, int64_t first, int64_t last, const float* x, int64_t x_stride, int64_t m,
                              float* y, int64_t y_stride) {
    reads_weights(kFormat, w, first, last);
    reads_rows(x, m, last - first, x_stride);
    writes_rows(y, m, w.cols, y_stride);
    real.accumulate_rows[kFormat](w, first, last, x, x_stride, m, y, y_stride);
  }
  template <int kFormat>
  static void decode_row(const WeightRows& w, int64_t row, int64_t first_col, int64_t count, float* out) {
    reads_weights(kFormat, w, row, row + 1, first_col, count);
    writes(out, count);
    real.decode_row[kFormat](w, row, first_col, count, out);
  }
  template <int kFormat>
  static void interleave_rows(const WeightRows& w, int64_t first, int64_t last, uint8_t* out) {
    reads_weights(kFormat, w, first, last);
    writes(out, (last - first) * w.row_bytes);
    real.interleave_rows[kFormat](w, first, last, out);
  }
  template <int kFormat>
  static void take_row(const WeightRows& w, int64_t row, uint8_t* out) {
    reads_weights(kFormat, w, row, row + 1);
    writes(out, bytes_of(kFormat, w.cols));
    real.take_row[kFormat](w, row, out);
  }

  static float fix_row(const float* x, const float* factors, int64_t n, int32_t limit, int16_t* out) {
    reads(x, n);
    if (factors) reads(factors, n);
    writes(out, n);
    return real.fixed_point.fix_row(x, factors, n, limit, out);
  }
  static void fixed_products(const WeightRows& w, int64_t rows, int64_t shared, const int16_t* queries,
                             const float* query_scales, int64_t m, float* scales, float* y) {
    reads_weights(kF16, w, 0, rows);
    reads(queries, m * w.cols);
    reads(query_scales, m * 2);
    writes(scales, kFixedRows);
    writes(y, m * kFixedRows);
    real.fixed_point.products(w, rows, shared, queries, query_scales, m, scales, y);
  }
  static void fixed_sums(const WeightRows& w, int64_t rows, int64_t shared, const float* scales, const int16_t* weights,
                         const float* weight_scales, int64_t m, const uint8_t* next, float* out, int64_t out_stride) {
    reads_weights(kF16, w, 0, rows, 0, shared);
    reads(scales, kFixedRows);
    reads(weights, m * kFixedRows);
    reads(weight_scales, m);
    writes_rows(out, m, shared, out_stride);
    real.fixed_point.sums(w, rows, shared, scales, weights, weight_scales, m, next, out, out_stride);
  }

  template <int kFormat>
  static void round_rows(const WeightRows& w, int64_t rows, uint16_t* page) {
    reads_weights(kFormat, w, 0, rows);
    writes(page, bf16_page_values(w.cols));
    real.attention_bf16.round_rows[kFormat](w, rows, page);
  }
  static void arrange_queries(const float* x, int64_t x_stride, int64_t m, int64_t cols, uint16_t* queries) {
    reads_rows(x, m, cols, x_stride);
    writes(queries, bf16_query_values(m, cols));
    real.attention_bf16.arrange_queries(x, x_stride, m, cols, queries);
  }
  static void bf16_products(const uint16_t* page, int64_t cols, const uint16_t* queries, int64_t m, float* y) {
    reads(page, bf16_page_values(cols));
    reads(queries, bf16_query_values(m, cols));
    writes(y, m * kBf16PageRows);
    real.attention_bf16.products(page, cols, queries, m, y);
  }
  static void bf16_sums(const uint16_t* page, int64_t page_cols, int64_t cols, const float* weights, int64_t m, float* y,
                        int64_t y_stride) {
    reads(page, bf16_page_values(page_cols));
    reads(weights, m * kBf16PageRows);
    writes_rows(y, m, cols, y_stride);
    real.attention_bf16.sums(page, page_cols, cols, weights, m, y, y_stride);
  }

  static void quantise_row(const float* x, int64_t n, int8_t* values, float* scales, int16_t* sums) {
    reads(x, n);
    writes(values, n);
    writes(scales, n / 32);
    writes(sums, n / 16);
    real.quantise_row(x, n, values, scales, sums);
  }
  static void f32_to_f16(const float* x, int64_t n, uint16_t* out) {
    reads(x, n);
    writes(out, n);
    real.f32_to_f16(x, n, out);
  }
  static void f32_to_bf16(const float* x, int64_t n, uint16_t* out) {
    reads(x, n);
    writes(out, n);
    real.f32_to_bf16(x, n, out);
  }
  static void split_bf16(const float* x, int64_t n, uint16_t* out, int64_t term_stride) {
    reads(x, n);
    writes_rows(out, kBf16Terms, n, term_stride);
    real.split_bf16(x, n, out, term_stride);
  }
  static void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* y) {
    reads(x, n);
    if (weight) reads(weight, n);
    writes(y, n);
    real.rms_norm(x, weight, eps, n, y);
  }
  static void add(float* x, const float* y, int64_t n) {
    writes(x, n);
    reads(y, n);
    real.add(x, y, n);
  }
  static void axpy(float a, const float* x, float* y, int64_t n) {
    reads(x, n);
    writes(y, n);
    real.axpy(a, x, y, n);
  }
  static void scale(float a, float* x, int64_t n) {
    writes(x, n);
    real.scale(a, x, n);
  }
  static void silu_mul(const float* gate, const float* up, float* y, int64_t n) {
    gated(gate, up, y, n);
    real.silu_mul(gate, up, y, n);
  }
  static void silu_mul_clamped(const float* gate, const float* up, float limit, float* y, int64_t n) {
    gated(gate, up, y, n);
    real.silu_mul_clamped(gate, up, limit, y, n);
  }
  static void swiglu_oai(const float* gate, const float* up, float limit, float* y, int64_t n) {
    gated(gate, up, y, n);
    real.swiglu_oai(gate, up, limit, y, n);
  }
  static void gated(const float* gate, const float* up, float* y, int64_t n) {
    reads(gate, n);
    reads(up, n);
    writes(y, n);
  }
  static float max(const float* x, int64_t n) {
    reads(x, n);
    return real.max(x, n);
  }
  static float exp_sum(float* x, float shift, int64_t n) {
    writes(x, n);
    return real.exp_sum(x, shift, n);
  }
  static void rope_interleaved(float* x, const float* cos, const float* sin, int64_t n_pairs) {
    rotated(x, cos, sin, n_pairs);
    real.rope_interleaved(x, cos, sin, n_pairs);
  }
  static void rope_half(float* x, const float* cos, const float* sin, int64_t n_pairs) {
    rotated(x, cos, sin, n_pairs);
    real.rope_half(x, cos, sin, n_pairs);
  }
  static void rotated(float* x, const float* cos, const float* sin, int64_t n_pairs) {
    writes(x, 2 * n_pairs);
    reads(cos, n_pairs);
    reads(sin, n_pairs);
  }

  // What the table lacks stays null.
  template <std::size_t... kFormat>
  static void replace_formats(KernelTable& t, std::index_sequence<kFormat...>) {
    ((t.matmul_f32[kFormat] = t.matmul_f32[kFormat] ? matmul_f32<kFormat> : nullptr), ...);
    ((t.matmul_q8[kFormat] = t.matmul_q8[kFormat] ? matmul_q8<kFormat> : nullptr), ...);
    ((t.matmul_bf16[kFormat] = t.matmul_bf16[kFormat] ? matmul_bf16<kFormat> : nullptr), ...);
    ((t.accumulate_rows[kFormat] = t.accumulate_rows[kFormat] ? accumulate_rows<kFormat> : nullptr), ...);
    ((t.decode_row[kFormat] = t.decode_row[kFormat] ? decode_row<kFormat> : nullptr), ...);
    ((t.interleave_rows[kFormat] = t.interleave_rows[kFormat] ? interleave_rows<kFormat> : nullptr), ...);
    ((t.take_row[kFormat] = t.take_row[kFormat] ? take_row<kFormat> : nullptr), ...);
    Bf16Attention& a = t.attention_bf16;
    ((a.round_rows[kFormat] = a.round_rows[kFormat] ? round_rows<kFormat> : nullptr), ...);
  }

  static KernelTable make(const KernelTable& table) {
    real = table;
    KernelTable t = table;
    replace_formats(t, std::make_index_sequence<std::size_t(kFormats)>());
    const auto replace = [](auto& function, auto watched) { function = function ? watched : nullptr; };
    replace(t.fixed_point.fix_row, fix_row);
    replace(t.fixed_point.products, fixed_products);
    replace(t.fixed_point.sums, fixed_sums);
    replace(t.attention_bf16.arrange_queries, arrange_queries);
    replace(t.attention_bf16.products, bf16_products);
    replace(t.attention_bf16.sums, bf16_sums);
    replace(t.quantise_row, quantise_row);
    replace(t.f32_to_f16, f32_to_f16);
    replace(t.f32_to_bf16, f32_to_bf16);
    replace(t.split_bf16, split_bf16);
    replace(t.rms_norm, rms_norm);
    replace(t.add, add);
    replace(t.axpy, axpy);
    replace(t.scale, scale);
    replace(t.silu_mul, silu_mul);
    replace(t.silu_mul_clamped, silu_mul_clamped);
    replace(t.swiglu_oai, swiglu_oai);
    replace(t.max, max);
    replace(t.exp_sum, exp_sum);
    replace(t.rope_interleaved, rope_interleaved);
    replace(t.rope_half, rope_half);
    return t;
  }

  static const KernelTable& of(const KernelTable& table) {
    static const KernelTable watched = make(table);
    return watched;
  }
};

constexpr std::array kOf{&Watched<1>::of, &Watched<2>::of, &Watched<3>::of, &Watched<4>::of, &Watched<5>::of};

}  // namespace

const KernelTable& watch(int level, const KernelTable& table) noexcept { return kOf[std::size_t(level - 1)](table); }

}  // namespace fathom::kernels
