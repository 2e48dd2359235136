#include "run/session_defaults.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace fathom {

std::int64_t choose_context(const SessionOptions& options, const ModelInfo& info) {
  if (options.context_length == 0) return std::min(info.context_length, kDefaultContext);
  if (options.context_length < 1 || options.context_length > info.context_length) {
    fail(Status::invalid_argument, "context_length is {}, expected 1 to {}, or 0 for a default", options.context_length,
         info.context_length);
  }
  return options.context_length;
}

std::int64_t choose_rows(const SessionOptions& options, std::int64_t context) {
  if (options.chunk_rows < 1 || options.chunk_rows > kMaxChunkRows) {
    fail(Status::invalid_argument, "chunk_rows is {}, expected 1 to {}", options.chunk_rows, kMaxChunkRows);
  }
  return std::min<std::int64_t>(options.chunk_rows, context);
}

std::int32_t choose_top_logprobs(const SessionOptions& options) {
  if (options.top_logprobs < 0 || options.top_logprobs > kMaxTopLogprobs) {
    fail(Status::invalid_argument, "top_logprobs is {}, expected 0 to {}", options.top_logprobs, kMaxTopLogprobs);
  }
  return options.top_logprobs;
}

PassLimits session_pass(const SessionOptions& options, const ModelInfo& info) {
  const std::int64_t rows = choose_rows(options, choose_context(options, info));
  return {rows, std::min(kLogitRows, rows), (options.trace_routes || options.count_routes) && info.experts > 0};
}

}  // namespace fathom
