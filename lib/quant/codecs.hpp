// The pair of functions that each format's file defines; formats.cpp makes the table of them.
#pragma once

#include <cstddef>

namespace fathom::quant {

void decode_f32(const std::byte* block, float* values);
void encode_f32(const float* values, std::byte* block);
void decode_f16(const std::byte* block, float* values);
void encode_f16(const float* values, std::byte* block);
void decode_bf16(const std::byte* block, float* values);
void encode_bf16(const float* values, std::byte* block);
void decode_f8_e4m3(const std::byte* block, float* values);
void encode_f8_e4m3(const float* values, std::byte* block);
void decode_f4_e2m1(const std::byte* block, float* values);
void encode_f4_e2m1(const float* values, std::byte* block);

void decode_q4_0(const std::byte* block, float* values);
void encode_q4_0(const float* values, std::byte* block);
void decode_q4_1(const std::byte* block, float* values);
void encode_q4_1(const float* values, std::byte* block);
void decode_q5_0(const std::byte* block, float* values);
void encode_q5_0(const float* values, std::byte* block);
void decode_q5_1(const std::byte* block, float* values);
void encode_q5_1(const float* values, std::byte* block);
void decode_q8_0(const std::byte* block, float* values);
void encode_q8_0(const float* values, std::byte* block);

void decode_q2_k(const std::byte* block, float* values);
void encode_q2_k(const float* values, std::byte* block);
void decode_q3_k(const std::byte* block, float* values);
void encode_q3_k(const float* values, std::byte* block);
void decode_q4_k(const std::byte* block, float* values);
void encode_q4_k(const float* values, std::byte* block);
void decode_q5_k(const std::byte* block, float* values);
void encode_q5_k(const float* values, std::byte* block);
void decode_q6_k(const std::byte* block, float* values);
void encode_q6_k(const float* values, std::byte* block);

void decode_iq4_nl(const std::byte* block, float* values);
void encode_iq4_nl(const float* values, std::byte* block);
void decode_iq4_xs(const std::byte* block, float* values);
void encode_iq4_xs(const float* values, std::byte* block);
void decode_mxfp4(const std::byte* block, float* values);
void encode_mxfp4(const float* values, std::byte* block);

}  // namespace fathom::quant
