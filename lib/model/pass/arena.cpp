#include "model/pass/arena.hpp"

namespace fathom::model {

RoundedBuffer Arena::rounded(std::int64_t rows, std::int64_t cols, ActivationForms forms) {
  RoundedBuffer out;
  if (forms.has(ActivationForm::quantised)) {
    const std::int64_t values = rows * cols;
    out.values = take<std::int8_t>(values);
    out.scales = take<float>(values / 32 + 1);
    out.sums = take<std::int16_t>(values / 16 + 1);
  }
  out.term_stride = (rows + kernels::kBf16Rows) * (cols + RoundedBuffer::kApart);
  if (forms.bf16_terms() > 0) out.bf16 = take<std::uint16_t>(forms.bf16_terms() * out.term_stride);
  return out;
}

}  // namespace fathom::model
