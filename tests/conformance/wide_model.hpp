// Random models with rows of 256 values, so that every block format finds room, in the shapes of three families.
#pragma once

#include <functional>
#include <string_view>

#include "base/storage_format.hpp"
#include "support/gguf_writer.hpp"

namespace fathom::test {

// The format of a matrix by its GGUF name; a row that is no whole block falls back to Q8_0.
using FormatChoice = std::function<StorageFormat(std::string_view name)>;

enum class WideShape {
  deepseek,  // latent attention; a dense layer, then a mixture with a shared expert
  llama,     // two query heads for each key head; dense layers
  mixtral,   // the same attention; mixtures, all experts of a layer in one tensor
  separate,  // as mixtral, a tensor for each expert: ffn_up.3.weight
};

// The same weights every time. `dequantised`: each matrix is rounded to its format and then stored as F32, so that the two
// files differ in nothing but how an engine multiplies.
GgufWriter wide_model(const FormatChoice& format_of, bool dequantised, WideShape shape = WideShape::deepseek);

inline constexpr std::int32_t kWideVocabulary = 320;

}  // namespace fathom::test
