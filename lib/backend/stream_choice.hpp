// Which prefetch products use, for each storage format, and that choice as text.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/storage_format.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom {

// One a model. A format is listed when it was timed or named in a text; all others have the built-in prefetch.
class StreamChoice {
 public:
  // All formats have the built-in prefetch of `kernels`.
  explicit StreamChoice(const kernels::KernelTable& kernels) noexcept;

  // Null where the format's products have no prefetch that can be chosen. The pointer is valid as long as this object.
  const kernels::StreamPrefetch* of(StorageFormat format) const noexcept;

  // Lists the format. `of(format)` is not null.
  void set(StorageFormat format, const kernels::StreamPrefetch& prefetch) noexcept;

  // "Q4_K=none,8k,tile Q6_K=4k,4k,tile": for each listed format the prefetch for few, several and many rows of activations, by
  // the names of kernels::kPrefetchRows. "builtin" when no format is listed.
  std::string text() const;

  // The choice that such a text describes. Formats that these kernels give no choice for are accepted and have no effect.
  // Throws Error{invalid_argument} naming the first part that is wrong.
  static StreamChoice parse(const kernels::KernelTable& kernels, std::string_view text);

 private:
  std::array<kernels::StreamPrefetch, kernels::kFormats> prefetch_{};
  std::array<bool, kernels::kFormats> choosable_{}, listed_{};
};

}  // namespace fathom
