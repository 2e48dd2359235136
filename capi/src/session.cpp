// fathom_session_*
#include "buffers.hpp"
#include "handles.hpp"
#include "structs.hpp"

namespace {

fathom::SamplingOptions read_sampling(const fathom_sampling_options* options) {
  const auto given = capi::read_options(options, "fathom_sampling_options");
  capi::require_reserved(given.reserved, "fathom_sampling_options.reserved");
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

fathom::StopOptions read_stop(const fathom_session_options& given) {
  fathom::StopOptions wanted;
  wanted.at_stop_tokens = !capi::read_flag(given.ignore_stop_tokens, "fathom_session_options.ignore_stop_tokens");
  const auto tokens = capi::read_array(given.stop_tokens, given.stop_token_count, "stop_tokens");
  wanted.tokens.assign(tokens.begin(), tokens.end());
  for (const fathom_string& text : capi::read_array(given.stop_strings, given.stop_string_count, "stop_strings")) {
    wanted.strings.emplace_back(capi::read_string(text.data, text.size, "a stop string"));
  }
  return wanted;
}

fathom::SessionOptions read_session(const fathom_session_options* options) {
  const auto given = capi::read_options(options, "fathom_session_options");
  capi::require(given.cache >= FATHOM_CACHE_AUTOMATIC && given.cache <= FATHOM_CACHE_BF16,
                "fathom_session_options.cache is none of FATHOM_CACHE_*");
  fathom::SessionOptions wanted;
  wanted.context_length = given.context_length;
  wanted.cache = static_cast<fathom::CacheFormat>(given.cache);
  if (given.chunk_rows != 0) wanted.chunk_rows = given.chunk_rows;
  wanted.sampling = read_sampling(given.sampling);
  wanted.stop = read_stop(given);
  return wanted;
}

fathom::StepOptions read_step(const fathom_step_options* options) {
  const auto given = capi::read_options(options, "fathom_step_options");
  capi::require_reserved(given.reserved, "fathom_step_options.reserved");
  capi::require(given.budget_us >= 0, "fathom_step_options.budget_us is negative");
  capi::require(given.max_new_tokens >= FATHOM_NO_NEW_TOKENS,
                "fathom_step_options.max_new_tokens is less than FATHOM_NO_NEW_TOKENS");
  fathom::StepOptions wanted;
  wanted.budget_us = given.budget_us;
  if (given.max_new_tokens != 0)
    wanted.max_new_tokens = given.max_new_tokens == FATHOM_NO_NEW_TOKENS ? 0 : given.max_new_tokens;
  return wanted;
}

}  // namespace

int32_t fathom_session_create(const fathom_model* model, const fathom_session_options* options, fathom_session** session) {
  return capi::guard([&] {
    capi::require(model != nullptr, "model is NULL");
    capi::require(session != nullptr, "session is NULL");
    *session = new fathom_session{fathom::Session(model->value, read_session(options)), {}, {}};
  });
}

void fathom_session_release(fathom_session* session) { delete session; }

int32_t fathom_session_append(fathom_session* session, const int32_t* tokens, size_t count) {
  return capi::guard([&] {
    capi::require(session != nullptr, "session is NULL");
    session->value.append(capi::read_array(tokens, count, "tokens"));
  });
}

int32_t fathom_session_step(fathom_session* session, const fathom_step_options* options, fathom_step_result* result) {
  return capi::guard([&] {
    capi::require(session != nullptr, "session is NULL");
    // before any work, so that a result that cannot be reported is not computed
    if (result != nullptr) capi::checked_size(result, "fathom_step_result");
    const fathom::StepResult done = session->value.step(read_step(options));
    if (result == nullptr) return;
    fathom_step_result told = {};
    told.stop = static_cast<int32_t>(done.stop);
    told.prompt_tokens = done.prompt_tokens;
    told.new_tokens = done.new_tokens;
    told.queued_tokens = done.queued_tokens;
    told.longest_unit_us = done.longest_unit_us;
    capi::write_result(told, result, "fathom_step_result");
  });
}

int32_t fathom_session_read_text(fathom_session* session, char* text, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    capi::require(session != nullptr, "session is NULL");
    session->unread_text += session->value.take_text();
    if (capi::write_array(session->unread_text, text, capacity, needed)) session->unread_text.clear();
  });
}

int32_t fathom_session_read_tokens(fathom_session* session, int32_t* tokens, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    capi::require(session != nullptr, "session is NULL");
    const auto taken = session->value.take_tokens();
    session->unread_tokens.insert(session->unread_tokens.end(), taken.begin(), taken.end());
    if (capi::write_array(session->unread_tokens, tokens, capacity, needed)) session->unread_tokens.clear();
  });
}

int32_t fathom_session_logits(const fathom_session* session, const float** logits, size_t* count) {
  return capi::guard([&] {
    capi::require(session != nullptr, "session is NULL");
    capi::require(logits != nullptr && count != nullptr, "logits or count is NULL");
    const std::span<const float> row = session->value.logits();
    *logits = row.data();
    *count = row.size();
  });
}

void fathom_session_cancel(fathom_session* session) {
  if (session != nullptr) session->value.cancel();
}

int32_t fathom_session_reset(fathom_session* session) {
  return capi::guard([&] {
    capi::require(session != nullptr, "session is NULL");
    session->value.reset();
    session->unread_text.clear();
    session->unread_tokens.clear();
  });
}
