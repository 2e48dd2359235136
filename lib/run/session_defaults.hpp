// Numbers that sessions and what is said about sessions share.
#pragma once

#include <cstdint>

namespace fathom {

inline constexpr std::int64_t kMaxChunkRows = 4096;
inline constexpr std::int64_t kDefaultContext = 8192;
inline constexpr std::int64_t kLogitRows = 16;  // positions whose logits are computed together for StepOptions::on_logits
inline constexpr std::int32_t kMaxTopLogprobs = 20;

}  // namespace fathom
