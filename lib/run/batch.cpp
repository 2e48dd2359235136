#include "fathom/batch.hpp"

#include <utility>

#include "base/error.hpp"
#include "run/batch_impl.hpp"
#include "run/part_times.hpp"
#include "run/session_defaults.hpp"
#include "run/session_impl.hpp"

namespace fathom {
namespace {

PassLimits batch_pass(const BatchOptions& options) {
  if (options.rows < 1 || options.rows > kMaxChunkRows) {
    fail(Status::invalid_argument, "a batch of {} rows, expected 1 to {}", options.rows, kMaxChunkRows);
  }
  if (options.sessions < 1 || options.sessions > options.rows) {
    fail(Status::invalid_argument, "a batch of {} sessions, expected 1 to {}, its rows", options.sessions, options.rows);
  }
  return {options.rows, options.sessions, false};
}

// What ended a member's part of a step, as an Error.
Error describe(const std::exception_ptr& failure) noexcept {
  try {
    try {
      std::rethrow_exception(failure);
    } catch (const Error& error) {
      return error;
    } catch (const std::bad_alloc&) {
      return Error(Status::out_of_memory, "out of memory");
    } catch (const std::exception& error) {
      return Error(Status::callback_failed, error.what());
    } catch (...) {
      return Error(Status::callback_failed, "a callback threw something that is no std::exception");
    }
  } catch (const std::exception&) {  // there is no memory for the sentence
    return Error(Status::out_of_memory, "out of memory");
  }
}

}  // namespace

Batch::Impl::Impl(std::shared_ptr<const Model::Impl> model_, const BatchOptions& options)
    : model(std::move(model_)), turn(*model, batch_pass(options), std::size_t(options.sessions)) {}

Batch::Impl::~Impl() {
  for (Turn::Member& member : turn.members()) member.timeline->joint = nullptr;
}

Batch::Batch(const Model& model, const BatchOptions& options) : impl_(std::make_unique<Impl>(model.impl(), options)) {}
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;
Batch::~Batch() = default;

void Batch::add(Session& session) {
  Turn& turn = impl_->turn;
  Timeline& timeline = session.impl_->timeline;
  if (timeline.model != impl_->model) fail(Status::invalid_argument, "the session is of another model than the batch");
  if (timeline.joint) {
    fail(Status::invalid_argument, "the session is a member of {} batch already", timeline.joint == &turn ? "this" : "another");
  }
  if (turn.full()) fail(Status::invalid_argument, "the batch is full: it has {} sessions", turn.members().size());
  turn.join(timeline);
  timeline.joint = &turn;
  session.impl_->turn.settle();  // a member holds no pass of its own
}

void Batch::remove(Session& session) {
  Timeline& timeline = session.impl_->timeline;
  if (timeline.joint != &impl_->turn) fail(Status::invalid_argument, "the session is no member of this batch");
  impl_->turn.leave(timeline);
  timeline.joint = nullptr;
}

BatchResult Batch::step(const BatchStepOptions& options) {
  if (options.max_new_tokens < 0)
    fail(Status::invalid_argument, "max_new_tokens is {}, expected 0 or more", options.max_new_tokens);
  Turn& turn = impl_->turn;
  turn.step({.budget_us = options.budget_us, .max_new_tokens = options.max_new_tokens});

  BatchResult total;
  total.sessions = std::int32_t(turn.members().size());
  total.longest_unit_us = turn.longest_unit_us();
  for (Turn::Member& member : turn.members()) {
    if (member.failure) member.result.error = describe(member.failure);
    total.active += !member.timeline->over();
    total.failed += member.result.error.has_value();
    total.prompt_tokens += member.result.step.prompt_tokens;
    total.new_tokens += member.result.step.new_tokens;
    total.queued_tokens += member.result.step.queued_tokens;
  }
  return total;
}

const MemberResult& Batch::last_result(const Session& session) const {
  const Turn::Member* member = impl_->turn.find(session.impl_->timeline);
  if (!member) fail(Status::invalid_argument, "the session is no member of this batch");
  return member->result;
}

PartTimes Batch::part_times() const noexcept { return name_parts(impl_->turn.part_us()); }

}  // namespace fathom
