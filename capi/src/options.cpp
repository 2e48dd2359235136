#include "options.hpp"

#include "buffers.hpp"
#include "structs.hpp"

namespace capi {
namespace {

// The host's function, as the C++ API wants it. A host written in C++ may let an exception out; it ends here.
std::function<bool(double, std::string_view)> adapt(fathom_progress progress, void* user) {
  if (progress == nullptr) return {};
  return [progress, user](double done, std::string_view what) {
    const std::string terminated(what);
    try {
      return progress(user, done, terminated.c_str()) == 0;
    } catch (...) {
      fail(FATHOM_CALLBACK_FAILED, "the progress callback threw an exception");
    }
  };
}

}  // namespace

fathom::ModelOptions read_model_options(const fathom_model_options* options) {
  const auto given = read_options(options, "fathom_model_options");
  fathom::ModelOptions wanted;
  wanted.verify = read_flag(given.verify, "fathom_model_options.verify");
  wanted.lazy = read_flag(given.lazy, "fathom_model_options.lazy");
  wanted.read = read_flag(given.read, "fathom_model_options.read");
  wanted.progress = adapt(given.progress, given.progress_user);
  return wanted;
}

fathom::SamplingOptions read_sampling(const fathom_sampling_options* options) {
  const auto given = read_options(options, "fathom_sampling_options");
  require_reserved(given.reserved, "fathom_sampling_options.reserved");
  fathom::SamplingOptions wanted;
  wanted.temperature = given.temperature;
  wanted.top_k = given.top_k;
  wanted.min_p = given.min_p;
  wanted.frequency_penalty = given.frequency_penalty;
  wanted.presence_penalty = given.presence_penalty;
  wanted.seed = given.seed;
  // zero means the default, which these three have elsewhere
  if (given.top_p != 0) wanted.top_p = given.top_p;
  if (given.repetition_penalty != 0) wanted.repetition_penalty = given.repetition_penalty;
  if (given.penalty_window != 0) wanted.penalty_window = given.penalty_window;
  return wanted;
}

fathom_sampling_options write_sampling(const fathom::SamplingOptions& options) noexcept {
  fathom_sampling_options told = {};
  told.temperature = options.temperature;
  told.top_p = options.top_p;
  told.min_p = options.min_p;
  told.repetition_penalty = options.repetition_penalty;
  told.frequency_penalty = options.frequency_penalty;
  told.presence_penalty = options.presence_penalty;
  told.top_k = options.top_k;
  told.penalty_window = options.penalty_window;
  told.seed = options.seed;
  return told;
}

fathom::StopOptions read_stop(const fathom_stop_options* options) {
  const auto given = read_options(options, "fathom_stop_options");
  fathom::StopOptions wanted;
  wanted.at_stop_tokens = !read_flag(given.ignore_stop_tokens, "fathom_stop_options.ignore_stop_tokens");
  const auto tokens = read_array(given.tokens, given.token_count, "fathom_stop_options.tokens");
  wanted.tokens.assign(tokens.begin(), tokens.end());
  for (const fathom_string& text : read_array(given.strings, given.string_count, "fathom_stop_options.strings")) {
    wanted.strings.emplace_back(read_string(text.data, text.size, "a stop string"));
  }
  return wanted;
}

fathom::SessionOptions read_session(const fathom_session_options* options) {
  const auto given = read_options(options, "fathom_session_options");
  require(given.cache >= FATHOM_CACHE_AUTOMATIC && given.cache <= FATHOM_CACHE_Q8_0,
          "fathom_session_options.cache is none of FATHOM_CACHE_*");
  fathom::SessionOptions wanted;
  wanted.context_length = given.context_length;
  wanted.cache = static_cast<fathom::CacheFormat>(given.cache);
  if (given.chunk_rows != 0) wanted.chunk_rows = given.chunk_rows;
  wanted.top_logprobs = given.top_logprobs;
  wanted.trace_routes = read_flag(given.trace_routes, "fathom_session_options.trace_routes");
  wanted.count_routes = read_flag(given.count_routes, "fathom_session_options.count_routes");
  wanted.sampling = read_sampling(given.sampling);
  wanted.stop = read_stop(given.stop);
  return wanted;
}

fathom::StepOptions read_step(const fathom_step_options* options) {
  const auto given = read_options(options, "fathom_step_options");
  require_reserved(given.reserved, "fathom_step_options.reserved");
  require(given.budget_us >= 0, "fathom_step_options.budget_us is negative");
  require(given.max_new_tokens >= FATHOM_NO_NEW_TOKENS, "fathom_step_options.max_new_tokens is less than FATHOM_NO_NEW_TOKENS");
  fathom::StepOptions wanted;
  wanted.budget_us = given.budget_us;
  if (given.max_new_tokens != 0) {
    wanted.max_new_tokens = given.max_new_tokens == FATHOM_NO_NEW_TOKENS ? 0 : given.max_new_tokens;
  }
  return wanted;
}

std::string read_path(const char* path, std::size_t path_size) {
  std::string where(read_string(path, path_size, "path"));
  require(where.find('\0') == where.npos, "the path contains a zero byte");
  return where;
}

fathom_step_result write_step(const fathom::StepResult& result) noexcept {
  fathom_step_result told = {};
  told.stop = static_cast<int32_t>(result.stop);
  told.prompt_tokens = result.prompt_tokens;
  told.new_tokens = result.new_tokens;
  told.queued_tokens = result.queued_tokens;
  told.longest_unit_us = result.longest_unit_us;
  return told;
}

}  // namespace capi
