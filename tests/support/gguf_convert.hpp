// Turns a Hugging Face checkpoint folder into GGUF, with the names, keys and layouts that published conversions have.
#pragma once

#include <optional>
#include <string>

#include "base/storage_format.hpp"
#include "support/gguf_writer.hpp"

namespace fathom::test {

struct GgufConversion {
  // Of matrices whose rows are whole blocks; others become F16, as common converters do it. Norms, biases and routers are F32.
  StorageFormat matrices = StorageFormat::f32;
  std::optional<StorageFormat> ups = std::nullopt;  // of up projections, where another
  bool split_latent = true;     // MLA's up-projection as attn_k_b and attn_v_b (newer files) or as one attn_kv_b
  bool keep_mxfp4 = true;       // gpt-oss experts stay MXFP4; false: dequantised, then stored like other matrices
  bool gating_function = true;  // write expert_gating_func, which older conversions do not have
};

// False where GGUF has no way to say what the configuration says.
bool has_gguf_form(const std::string& model_name);

GgufWriter convert_to_gguf(const std::string& model_folder, const GgufConversion& conversion = {});

}  // namespace fathom::test
