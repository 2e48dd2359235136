// Numbers that sessions and what is said about sessions share, and what SessionOptions mean for a model.
#pragma once

#include <cstdint>

#include "fathom/session.hpp"
#include "run/pass_pool.hpp"

namespace fathom {

inline constexpr std::int64_t kMaxChunkRows = 4096;
inline constexpr std::int64_t kDefaultContext = 8192;
inline constexpr std::int64_t kLogitRows = 16;  // positions whose logits are computed together for StepOptions::on_logits
inline constexpr std::int32_t kMaxTopLogprobs = 20;
inline constexpr std::int64_t kRoomForLogprobs = 1024;  // tokens whose probabilities have room from the beginning

// Each throws Error{invalid_argument} when the option is out of range.
std::int64_t choose_context(const SessionOptions& options, const ModelInfo& info);
std::int64_t choose_rows(const SessionOptions& options, std::int64_t context);
std::int32_t choose_top_logprobs(const SessionOptions& options);

// What a session asks of the pass that it borrows.
PassLimits session_pass(const SessionOptions& options, const ModelInfo& info);

}  // namespace fathom
