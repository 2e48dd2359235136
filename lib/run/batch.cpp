#include "fathom/batch.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "run/batch_impl.hpp"
#include "run/part_times.hpp"
#include "run/session_defaults.hpp"

namespace fathom {
namespace {

constexpr std::int64_t kCancelSliceUs = 5'000;

std::int64_t choose_rows(const BatchOptions& options) {
  if (options.rows < 1 || options.rows > kMaxChunkRows) {
    fail(Status::invalid_argument, "a batch of {} rows, expected 1 to {}", options.rows, kMaxChunkRows);
  }
  if (options.sessions < 1 || options.sessions > options.rows) {
    fail(Status::invalid_argument, "a batch of {} sessions, expected 1 to {}, its rows", options.sessions, options.rows);
  }
  return options.rows;
}

}  // namespace

Batch::Impl::Impl(std::shared_ptr<const Model::Impl> model_, const BatchOptions& options)
    : model(std::move(model_)),
      pass(*model->network, choose_rows(options), options.sessions, model->runtime->tasks->concurrency(),
           *model->runtime->allocator),
      rows(options.rows),
      most_members(std::size_t(options.sessions)) {
  members.reserve(most_members);
  parts.reserve(most_members);
  spans.reserve(most_members);
  head_rows.reserve(most_members);
  ready.reserve(most_members);
  prompts.reserve(most_members);
  ids.reserve(std::size_t(rows));
}

Batch::Impl::~Impl() {
  settle();
  for (Member& member : members) member.session->batch = nullptr;
}

Batch::Impl::Member* Batch::Impl::find(const Session::Impl& session) noexcept {
  const auto found = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.session == &session; });
  return found == members.end() ? nullptr : &*found;
}

void Batch::Impl::forget(Session::Impl& session) noexcept {
  settle();
  session.batch = nullptr;
  std::erase_if(members, [&](const Member& m) { return m.session == &session; });
}

void Batch::Impl::settle() noexcept {
  if (doing == Doing::body) {
    pass.stop();
    doing = Doing::nothing;
  }
  if (doing == Doing::head) {
    const CancelFlag never{false};
    pass.advance(*model->runtime->tasks, Deadline::never(), never);
    end_head();
  }
}

void Batch::Impl::note_failure(Member& member, Status status, const char* sentence) noexcept {
  member.done = true;
  try {
    member.result.error = Error(status, sentence);
  } catch (const std::bad_alloc&) {
    member.result.error = Error(status, "out of memory");  // short enough to need none
  }
}

template <typename Body>
void Batch::Impl::attempt(Member& member, Body&& body) noexcept {
  try {
    body();
  } catch (const Error& error) {
    note_failure(member, error.status(), error.what());
  } catch (const std::exception& error) {
    note_failure(member, Status::out_of_memory, error.what());
  }
}

// Draws the member's next token when its logits are there. True when it has rows for the next pass.
bool Batch::Impl::prepare(Member& member, const BatchStepOptions& options) {
  Session::Impl& s = *member.session;
  if (member.done) return false;
  if (s.cancelled.exchange(false)) {
    member.result.step.stop = StopReason::cancelled;
    member.done = true;
    return false;
  }
  if (s.stopped != StopReason::none || s.tokens.empty()) {
    member.result.step.stop = s.stopped;
    member.done = true;
    return false;
  }
  if (s.queued() > 0) return true;
  if (!s.logits_valid) {
    // its own step was cut while the logits were under way
    attempt(member, [&] { s.take_in_queue({}, Deadline::never(), member.result.step); });
    if (member.done) return false;
  }
  if (member.result.step.new_tokens >= options.max_new_tokens) return false;
  attempt(member, [&] {
    if (s.draw(member.result.step)) return;
    member.result.step = s.finish(s.stopped, member.result.step);
    member.done = true;
  });
  return !member.done && member.result.step.new_tokens < options.max_new_tokens;
}

void Batch::Impl::add_rows(Member& member, std::int64_t count) {
  Session::Impl& s = *member.session;
  // a chunk the session began by itself is begun again here
  s.pass.stop();
  s.doing = Session::Impl::Doing::nothing;
  s.logits_valid = false;
  spans.push_back({&s.cache, s.computed, std::int64_t(ids.size()), count, s.steering_or_null()});
  parts.push_back({&s, count == s.queued()});
  ids.insert(ids.end(), s.tokens.begin() + s.computed, s.tokens.begin() + s.computed + count);
}

// False when there is nothing to do.
bool Batch::Impl::begin_pass(const BatchStepOptions& options) {
  ready.clear();
  for (Member& member : members) {
    if (prepare(member, options)) ready.push_back(&member);
  }
  // tokens drawn just now are due; the rest waits for the next step
  if (ready.empty() || is_somebody_served(options)) return false;

  parts.clear();
  spans.clear();
  ids.clear();
  prompts.clear();
  for (Member* member : ready) {
    if (member->session->queued() == 1) {
      add_rows(*member, 1);
    } else {
      prompts.push_back(member);
    }
  }
  if (!prompts.empty()) {
    const std::int64_t room = rows - std::int64_t(ids.size());
    const std::int64_t share = room / std::int64_t(prompts.size()), odd = room % std::int64_t(prompts.size());
    std::rotate(prompts.begin(), prompts.begin() + std::ptrdiff_t(turn++ % prompts.size()), prompts.end());
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const std::int64_t granted = share + (std::int64_t(i) < odd);
      if (granted > 0) add_rows(*prompts[i], std::min(granted, prompts[i]->session->queued()));
    }
  }
  pass.begin(spans, ids);
  doing = Doing::body;
  return true;
}

void Batch::Impl::end_body() {
  head_rows.clear();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Session::Impl& s = *parts[i].session;
    Member& member = *find(s);
    member.result.step.prompt_tokens += s.take_in(spans[i]);
    if (s.follows_routes()) attempt(member, [&] { s.keep_routes(pass, spans[i]); });
    // what was appended meanwhile waits for the next pass; the logits in between are then not needed
    if (s.queued() > 0) parts[i].wants_logits = false;
    if (parts[i].wants_logits) head_rows.push_back(spans[i].first_row + spans[i].rows - 1);
  }
  doing = Doing::nothing;
  if (head_rows.empty()) return;
  pass.begin_head(head_rows);
  doing = Doing::head;
}

void Batch::Impl::end_head() noexcept {
  std::int64_t row = 0;
  for (const Part& part : parts) {
    if (!part.wants_logits) continue;
    part.session->pass.adopt_logits(pass.logits().row(row++));
    part.session->logits_valid = true;
  }
  doing = Doing::nothing;
}

void Batch::Impl::see_cancelled() noexcept {
  for (Member& member : members) {
    if (member.done || !member.session->cancelled.exchange(false)) continue;
    member.result.step.stop = StopReason::cancelled;
    member.done = true;
  }
}

bool Batch::Impl::is_somebody_served(const BatchStepOptions& options) const noexcept {
  return options.max_new_tokens > 0 && std::any_of(members.begin(), members.end(), [&](const Member& member) {
           return member.result.step.new_tokens >= options.max_new_tokens;
         });
}

// Works on the pass under way, in slices, to see between them who was cancelled. False when the budget ended first, or nobody
// is left to work for.
bool Batch::Impl::finish_pass(const Deadline& deadline) {
  const CancelFlag never{false};
  while (doing != Doing::nothing) {
    const Deadline slice = Deadline::after_us(kCancelSliceUs);
    const bool last = deadline < slice;
    if (!pass.advance(*model->runtime->tasks, last ? deadline : slice, never)) {
      if (last) return false;
      see_cancelled();
      if (std::all_of(parts.begin(), parts.end(), [&](const Part& part) { return find(*part.session)->done; })) return false;
    } else if (doing == Doing::body) {
      end_body();
    } else {
      end_head();
    }
  }
  return true;
}

BatchResult Batch::Impl::step(const BatchStepOptions& options) {
  if (options.max_new_tokens < 0)
    fail(Status::invalid_argument, "max_new_tokens is {}, expected 0 or more", options.max_new_tokens);
  const Deadline deadline = Deadline::after_us(options.budget_us);
  for (Member& member : members) {
    member.result = {};
    member.done = false;
  }
  while (finish_pass(deadline) && begin_pass(options)) {
  }

  BatchResult total;
  total.sessions = std::int32_t(members.size());
  total.longest_unit_us = pass.take_longest_unit_us();
  for (Member& member : members) {
    const Session::Impl& s = *member.session;
    member.result.step.queued_tokens = s.queued_appended();
    member.result.step.longest_unit_us = total.longest_unit_us;
    total.active += s.stopped == StopReason::none && !s.tokens.empty();
    total.failed += member.result.error.has_value();
    total.prompt_tokens += member.result.step.prompt_tokens;
    total.new_tokens += member.result.step.new_tokens;
    total.queued_tokens += member.result.step.queued_tokens;
  }
  return total;
}

Batch::Batch(const Model& model, const BatchOptions& options) : impl_(std::make_unique<Impl>(model.impl(), options)) {}
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;
Batch::~Batch() = default;

void Batch::add(Session& session) {
  Impl& b = *impl_;
  Session::Impl& s = *session.impl_;
  if (s.model != b.model) fail(Status::invalid_argument, "the session is of another model than the batch");
  if (s.batch)
    fail(Status::invalid_argument, "the session is a member of {} batch already", s.batch == &b ? "this" : "another");
  if (b.members.size() == b.most_members)
    fail(Status::invalid_argument, "the batch is full: it has {} sessions", b.most_members);
  if (s.follows_routes()) b.pass.trace_routes(*b.model->runtime->allocator);
  b.members.push_back({&s, {}, false});
  s.batch = &b;
}

void Batch::remove(Session& session) {
  if (session.impl_->batch != impl_.get()) fail(Status::invalid_argument, "the session is no member of this batch");
  impl_->forget(*session.impl_);
}

BatchResult Batch::step(const BatchStepOptions& options) { return impl_->step(options); }

const MemberResult& Batch::last_result(const Session& session) const {
  const Impl::Member* member = impl_->find(*session.impl_);
  if (!member) fail(Status::invalid_argument, "the session is no member of this batch");
  return member->result;
}

PartTimes Batch::part_times() const noexcept { return name_parts(impl_->pass.part_us()); }

}  // namespace fathom
