// fathom_batch_*
#include "buffers.hpp"
#include "objects.hpp"
#include "options.hpp"
#include "structs.hpp"

namespace {

fathom_batch_result write_batch(const fathom::BatchResult& result) noexcept {
  fathom_batch_result told = {};
  told.sessions = result.sessions;
  told.active = result.active;
  told.failed = result.failed;
  told.prompt_tokens = result.prompt_tokens;
  told.new_tokens = result.new_tokens;
  told.queued_tokens = result.queued_tokens;
  told.longest_unit_us = result.longest_unit_us;
  return told;
}

}  // namespace

int32_t fathom_batch_create(const fathom_model* model, const fathom_batch_options* options, fathom_batch** batch) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    capi::require(batch != nullptr, "batch is NULL");
    const auto given = capi::read_options(options, "fathom_batch_options");
    capi::require_reserved(given.reserved, "fathom_batch_options.reserved");
    fathom::BatchOptions wanted;
    if (given.rows != 0) wanted.rows = given.rows;
    if (given.sessions != 0) wanted.sessions = given.sessions;
    if (given.sessions == 0) wanted.sessions = std::min(wanted.sessions, std::max(wanted.rows, 1));
    auto made = std::make_unique<capi::BatchContent>(fathom::Batch(*used, wanted));
    *batch = capi::make_handle<fathom_batch>(used.host(), std::move(made));
  });
}

void fathom_batch_release(fathom_batch* batch) { capi::release(batch); }

int32_t fathom_batch_add(fathom_batch* batch, fathom_session* session) {
  return capi::guard([&] {
    const auto used = capi::write(batch, "batch");
    const auto member = capi::write(session, "session");
    const std::lock_guard lock(used->members->mutex);
    used->members->sessions.reserve(used->members->sessions.size() + 1);
    used->value->add(member->value);
    used->members->sessions.push_back(session);
    member->joined = used->members;
  });
}

int32_t fathom_batch_remove(fathom_batch* batch, fathom_session* session) {
  return capi::guard([&] {
    const auto used = capi::write(batch, "batch");
    const auto member = capi::write(session, "session");
    const std::lock_guard lock(used->members->mutex);
    used->value->remove(member->value);
    std::erase(used->members->sessions, session);
    member->joined.reset();
  });
}

int32_t fathom_batch_step(fathom_batch* batch, const fathom_step_options* options, fathom_batch_result* result) {
  return capi::guard([&] {
    const auto used = capi::write(batch, "batch");
    if (result != nullptr) capi::checked_size(result, "fathom_batch_result");
    const fathom::StepOptions wanted = capi::read_step(options);
    // All members are in use for as long as the step lasts; declared before the lock, so that one that was released meanwhile
    // goes after it.
    std::vector<capi::Use<capi::SessionContent, capi::Access::write>> members;
    {
      const std::lock_guard lock(used->members->mutex);
      members.reserve(used->members->sessions.size());
      for (fathom_session* session : used->members->sessions) members.push_back(capi::write(session, "a session of the batch"));
    }
    capi::watch_tasks([&] {
      const fathom::BatchResult done = used->value->step({wanted.budget_us, wanted.max_new_tokens});
      if (result != nullptr) capi::write_result(write_batch(done), result, "fathom_batch_result");
    });
  });
}

int32_t fathom_batch_get_result(const fathom_batch* batch, const fathom_session* session, fathom_step_result* result) {
  return capi::guard([&] {
    const auto used = capi::read(batch, "batch");
    const auto member = capi::read(session, "session");
    const fathom::MemberResult& last = used->value->last_result(member->value);
    if (result != nullptr) capi::write_result(capi::write_step(last.step), result, "fathom_step_result");
    if (last.error) throw fathom::Error(*last.error);
  });
}
