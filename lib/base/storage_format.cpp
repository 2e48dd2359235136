#include "base/storage_format.hpp"

namespace fathom {
namespace {

using enum StorageFormat;

// In the order of the enumeration. Sizes: GGUF type table (spec: ggml's block structs), safetensors dtypes.
constexpr StorageLayout kLayouts[] = {
    {f32, "F32", 1, 4},          {f16, "F16", 1, 2},
    {bf16, "BF16", 1, 2},        {f64, "F64", 1, 8},
    {f8_e4m3, "F8_E4M3", 1, 1},  {f4_e2m1, "F4_E2M1", 2, 1},
    {q4_0, "Q4_0", 32, 18},      {q4_1, "Q4_1", 32, 20},
    {q5_0, "Q5_0", 32, 22},      {q5_1, "Q5_1", 32, 24},
    {q8_0, "Q8_0", 32, 34},      {q8_1, "Q8_1", 32, 36},
    {q2_k, "Q2_K", 256, 84},     {q3_k, "Q3_K", 256, 110},
    {q4_k, "Q4_K", 256, 144},    {q5_k, "Q5_K", 256, 176},
    {q6_k, "Q6_K", 256, 210},    {q8_k, "Q8_K", 256, 292},
    {iq4_nl, "IQ4_NL", 32, 18},  {iq4_xs, "IQ4_XS", 256, 136},
    {mxfp4, "MXFP4", 32, 17},    {iq2_xxs, "IQ2_XXS", 256, 66},
    {iq2_xs, "IQ2_XS", 256, 74}, {iq3_xxs, "IQ3_XXS", 256, 98},
    {iq1_s, "IQ1_S", 256, 50},   {iq3_s, "IQ3_S", 256, 110},
    {iq2_s, "IQ2_S", 256, 82},   {iq1_m, "IQ1_M", 256, 56},
    {tq1_0, "TQ1_0", 256, 54},   {tq2_0, "TQ2_0", 256, 66},
    {nvfp4, "NVFP4", 64, 36},    {q1_0, "Q1_0", 128, 18},
    {q2_0, "Q2_0", 64, 18},      {i8, "I8", 1, 1},
    {i16, "I16", 1, 2},          {i32, "I32", 1, 4},
    {i64, "I64", 1, 8},          {u8, "U8", 1, 1},
    {u16, "U16", 1, 2},          {u32, "U32", 1, 4},
    {u64, "U64", 1, 8},          {boolean, "BOOL", 1, 1},
    {f8_e5m2, "F8_E5M2", 1, 1},  {f8_e8m0, "F8_E8M0", 1, 1},
    {other, "?", 0, 0},
};
static_assert(sizeof(kLayouts) / sizeof(kLayouts[0]) == kStorageFormats);

constexpr bool in_order() {
  for (int i = 0; i < kStorageFormats; ++i) {
    if (int(kLayouts[i].format) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const StorageLayout& storage_layout(StorageFormat format) noexcept {
  const int index = int(format);
  return kLayouts[index < kStorageFormats ? index : kStorageFormats - 1];
}

}  // namespace fathom
