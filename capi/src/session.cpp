// Sessions: making them, making them work, changing them.
#include "buffers.hpp"
#include "objects.hpp"
#include "options.hpp"
#include "structs.hpp"

namespace {

void add(fathom::StepResult& total, const fathom::StepResult& step) {
  total.stop = step.stop;
  total.prompt_tokens += step.prompt_tokens;
  total.new_tokens += step.new_tokens;
  total.queued_tokens = step.queued_tokens;
  total.longest_unit_us = std::max(total.longest_unit_us, step.longest_unit_us);
}

// Hands over what is there. False when the host wants no more.
bool pour_text(capi::SessionContent& session, fathom_text_sink sink, void* user) {
  const std::string_view text = session.value.untaken_text();
  if (text.empty()) return true;
  int32_t answer = 0;
  try {
    answer = sink(user, text.data(), text.size());
  } catch (...) {
    capi::fail(FATHOM_CALLBACK_FAILED, "the text sink threw an exception; the text it was given can be read again");
  }
  session.value.take_text();
  return answer == 0;
}

fathom::StepResult generate(capi::SessionContent& session, int64_t max_new_tokens, fathom_text_sink sink, void* user) {
  fathom::StepResult total;
  for (;;) {
    add(total, session.value.step({.max_new_tokens = 1}));
    const bool more = pour_text(session, sink, user);
    if (total.stop != fathom::StopReason::none) return total;
    if (!more) {
      total.stop = fathom::StopReason::cancelled;
      return total;
    }
    if (max_new_tokens > 0 && total.new_tokens >= max_new_tokens) return total;
  }
}

}  // namespace

int32_t fathom_session_create(const fathom_model* model, const fathom_session_options* options, fathom_session** session) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    capi::require(session != nullptr, "session is NULL");
    auto made = std::make_unique<capi::SessionContent>(fathom::Session(*used, capi::read_session(options)));
    *session = capi::make_handle<fathom_session>(used.host(), std::move(made));
  });
}

void fathom_session_release(fathom_session* session) { capi::release(session); }

int32_t fathom_session_append(fathom_session* session, const int32_t* tokens, size_t count) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    used->value.append(capi::read_array(tokens, count, "tokens"));
  });
}

int32_t fathom_session_step(fathom_session* session, const fathom_step_options* options, fathom_step_result* result) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    // before any work, so that a result that cannot be reported is not computed
    if (result != nullptr) capi::checked_size(result, "fathom_step_result");
    capi::watch_tasks([&] {
      const fathom::StepResult done = used->value.step(capi::read_step(options));
      if (result != nullptr) capi::write_result(capi::write_step(done), result, "fathom_step_result");
    });
  });
}

int32_t fathom_session_generate(fathom_session* session, int64_t max_new_tokens, fathom_text_sink sink, void* user,
                                fathom_step_result* result) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    capi::require(max_new_tokens >= 0, "max_new_tokens is negative");
    capi::require(sink != nullptr, "sink is NULL");
    if (result != nullptr) capi::checked_size(result, "fathom_step_result");
    capi::watch_tasks([&] {
      const fathom::StepResult done = generate(*used, max_new_tokens, sink, user);
      if (result != nullptr) capi::write_result(capi::write_step(done), result, "fathom_step_result");
    });
  });
}

// Also from a signal handler: it takes no lock and no memory, and touches no thread-local state.
static_assert(decltype(capi::Shell::uses)::is_always_lock_free);

void fathom_session_cancel(fathom_session* session) {
  // not counted as a use: a step is under way when this is called
  if (session == nullptr || session->kind != capi::Kind::session) return;
  if ((session->uses.load() & capi::Shell::kReleased) == 0) session->content->value.cancel();
}

int32_t fathom_session_set_sampling(fathom_session* session, const fathom_sampling_options* options) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    used->value.set_sampling(capi::read_sampling(options));
  });
}

int32_t fathom_session_set_stop(fathom_session* session, const fathom_stop_options* options) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    used->value.set_stop(capi::read_stop(options));
  });
}

int32_t fathom_session_sync(fathom_session* session, const int32_t* tokens, size_t count, size_t* kept) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    const std::size_t shared = std::size_t(used->value.sync(capi::read_array(tokens, count, "tokens")));
    if (kept != nullptr) *kept = shared;
  });
}

int32_t fathom_session_rewind(fathom_session* session, size_t length) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    capi::require(length <= std::size_t(INT64_MAX), "length is larger than any context");
    used->value.rewind(std::int64_t(length));
  });
}

int32_t fathom_session_fork(const fathom_session* session, fathom_session** fork) {
  return capi::guard([&] {
    const auto used = capi::read(session, "session");
    capi::require(fork != nullptr, "fork is NULL");
    auto made = std::make_unique<capi::SessionContent>(used->value.fork());
    *fork = capi::make_handle<fathom_session>(used.host(), std::move(made));
  });
}

int32_t fathom_session_reset(fathom_session* session) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    used->value.reset();
  });
}
