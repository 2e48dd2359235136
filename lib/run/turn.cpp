#include "run/turn.hpp"

#include <algorithm>

namespace fathom {
namespace {

// How long a cancel of one of several timelines waits to be seen.
constexpr std::int64_t kCancelSliceUs = 5'000;

const CancelFlag kNever{false};

}  // namespace

Turn::Turn(const Model::Impl& model, const PassLimits& limits, std::size_t most_members)
    : tasks_(*model.runtime->tasks), seat_(*model.passes, limits), most_members_(most_members) {
  members_.reserve(most_members);
  parts_.reserve(most_members);
  spans_.reserve(most_members);
  head_rows_.reserve(std::size_t(limits.logit_rows));
  ready_.reserve(most_members);
  prompts_.reserve(most_members);
  ids_.reserve(std::size_t(limits.rows));
}

void Turn::join(Timeline& timeline) {
  if (timeline.follows_routes() && !seat_.limits().traces) {
    settle();  // the next pass is another one
    seat_.trace_routes();
  }
  members_.push_back({&timeline, {}, nullptr, false});
}

void Turn::leave(Timeline& timeline) noexcept {
  settle();
  std::erase_if(members_, [&](const Member& member) { return member.timeline == &timeline; });
}

Turn::Member* Turn::find(const Timeline& timeline) noexcept {
  const auto found = std::ranges::find(members_, &timeline, &Member::timeline);
  return found == members_.end() ? nullptr : &*found;
}

template <typename Body>
void Turn::attempt(Member& member, Body&& body) noexcept {
  try {
    body();
  } catch (...) {
    member.done = true;
    member.failure = std::current_exception();
  }
}

void Turn::step(const StepOptions& options) {
  if (!members_.empty()) members_.front().timeline->model->check_files();
  const Deadline deadline = Deadline::after_us(options.budget_us);
  longest_unit_us_ = 0.0;
  for (Member& member : members_) {
    Turn* const other = member.timeline->under_way;
    if (other && other != this) other->settle();
    member.result = {};
    member.failure = nullptr;
    member.done = false;
  }
  if (!lent_ && is_wanted()) lent_ = seat_.borrow();
  while (verify(options, deadline) && commit(options)) propose(options);
  if (!is_worth_keeping()) drop_body();
  if (doing_ == Doing::nothing) lent_ = {};
  for (Member& member : members_) {
    member.result.step.queued_tokens = member.timeline->queued_appended();
    member.result.step.longest_unit_us = longest_unit_us_;
  }
}

bool Turn::is_wanted() const noexcept {
  return std::ranges::any_of(members_, [](const Member& member) { return !member.timeline->over(); });
}

// Is there somebody who may go on with the pass under way? Whoever was cancelled may never do so.
bool Turn::is_worth_keeping() const noexcept {
  return std::ranges::any_of(parts_, [&](const Part& part) {
    if (part.member->result.step.stop == StopReason::cancelled) return false;
    return doing_ != Doing::ahead || (part.guesses > 0 && !part.member->timeline->over());
  });
}

// ---- commit

// Draws the member's next tokens, one and those that were guessed, when there are logits. True when it has rows for the next
// pass.
bool Turn::commit(Member& member, const StepOptions& options) {
  Timeline& timeline = *member.timeline;
  if (member.done) return false;
  if (timeline.over()) {
    member.done = true;
    member.result.step.stop = timeline.stopped;
    // again, should it have failed when generation stopped
    if (timeline.stopped != StopReason::none) attempt(member, [&] { timeline.text.finish(); });
    return false;
  }
  do {
    if (timeline.cancelled.exchange(false)) {
      member.done = true;
      member.result.step.stop = StopReason::cancelled;
      return false;
    }
    if (timeline.queued() > 0) return true;
    if (member.result.step.new_tokens >= options.max_new_tokens) return false;
    const std::size_t before = timeline.tokens.size();
    attempt(member, [&] {
      if (timeline.draw(lent_->sampling)) return;
      member.done = true;
      member.result.step.stop = timeline.stopped;
      timeline.text.finish();
    });
    member.result.step.new_tokens += std::int64_t(timeline.tokens.size() - before);
    if (member.done) return false;
  } while (accept_guess(member));
  return member.result.step.new_tokens < options.max_new_tokens;
}

// The token just drawn went through the model already, when it is the member's next guess: then its row counts, and its logits
// are there. Otherwise all guesses behind are wrong.
bool Turn::accept_guess(Member& member) noexcept {
  if (doing_ != Doing::ahead) return false;
  const auto part = std::ranges::find(parts_, &member, &Part::member);
  if (part == parts_.end() || part->guesses == 0) return false;
  Timeline& timeline = *member.timeline;
  model::RowSpan row = part->rows;
  row.first_row += timeline.computed - row.first_position;
  row.first_position = timeline.computed;
  row.rows = 1;
  if (ids_[std::size_t(row.first_row)] != timeline.tokens.back()) {
    part->guesses = 0;
    return false;
  }
  --part->guesses;
  timeline.take_in(row);
  timeline.take_logits(
      lent_->pass.logits().row(part->logit_row + row.first_row - (part->rows.first_row + part->rows.rows - 1)));
  if (timeline.follows_routes()) attempt(member, [&] { timeline.keep_routes(lent_->pass, row); });
  return !member.done;
}

// False when nobody has rows for another pass, or somebody has all that it was to get, so that nobody waits for another's
// prompt: tokens that were drawn now go through the model with the next step.
bool Turn::commit(const StepOptions& options) {
  ready_.clear();
  bool served = false;
  for (Member& member : members_) {
    if (commit(member, options)) ready_.push_back(&member);
    served |= options.max_new_tokens > 0 && member.result.step.new_tokens >= options.max_new_tokens;
  }
  return !ready_.empty() && !served;
}

// ---- propose

// The next `count` queued tokens, as rows, and guesses of those after them.
void Turn::add_rows(Member& member, std::int64_t count, std::span<const TokenId> guesses) {
  Timeline& timeline = *member.timeline;
  timeline.logits_valid = false;
  timeline.under_way = this;
  const model::RowSpan rows{&timeline.cache, timeline.computed, std::int64_t(ids_.size()), count, timeline.steering_or_null()};
  parts_.push_back({&member, rows, std::int64_t(guesses.size()), false, 0});
  spans_.push_back(rows);
  spans_.back().rows += std::int64_t(guesses.size());
  const auto first = timeline.tokens.begin() + timeline.computed;
  ids_.insert(ids_.end(), first, first + count);
  ids_.insert(ids_.end(), guesses.begin(), guesses.end());
}

// First one row for each timeline that generates, and its guesses. Prompts share the remaining rows evenly, the odd ones going
// to each in turn.
void Turn::propose(const StepOptions& options) {
  if (doing_ == Doing::ahead) end_pass();
  spans_.clear();
  ids_.clear();
  prompts_.clear();
  // on_logits is for tokens of the timeline
  const PassLimits& most = seat_.limits();
  std::int64_t spare = options.on_logits ? 0 : std::min(most.rows, most.logit_rows) - std::int64_t(ready_.size());
  for (Member* member : ready_) {
    if (member->timeline->queued() == 1) {
      const std::span<const TokenId> guesses = member->timeline->propose(std::size_t(spare));
      spare -= std::int64_t(guesses.size());
      add_rows(*member, 1, guesses);
    } else {
      prompts_.push_back(member);
    }
  }
  if (!prompts_.empty()) {
    const std::int64_t room = most.rows - std::int64_t(ids_.size());
    const std::int64_t share = room / std::int64_t(prompts_.size()), odd = room % std::int64_t(prompts_.size());
    std::rotate(prompts_.begin(), prompts_.begin() + std::ptrdiff_t(odd_row_++ % prompts_.size()), prompts_.end());
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const std::int64_t granted = share + (std::int64_t(i) < odd);
      if (granted > 0) add_rows(*prompts_[i], std::min(granted, prompts_[i]->timeline->queued()), {});
    }
  }
  lent_->pass.begin(spans_, ids_);
  doing_ = Doing::body;
}

// ---- verify

// The pass under way, to its end. False when the step ends first.
bool Turn::verify(const StepOptions& options, const Deadline& deadline) {
  while (doing_ != Doing::nothing && doing_ != Doing::ahead) {
    if (is_abandoned()) return false;
    switch (doing_) {
      case Doing::body:
        if (!advance(deadline)) return false;
        end_body();
        break;
      case Doing::rows:
        if (options.on_logits && reported_ < parts_.front().rows.rows) {
          lent_->pass.begin_head(reported_, std::min(seat_.limits().logit_rows, parts_.front().rows.rows - reported_));
          doing_ = Doing::report;
        } else {
          begin_head();
        }
        break;
      case Doing::report:
        if (options.on_logits) {
          if (!advance(deadline)) return false;
          report(options);
        } else {
          doing_ = Doing::rows;
        }
        break;
      case Doing::head:
        if (options.on_logits && reported_ < parts_.front().rows.rows) {
          doing_ = Doing::rows;
        } else {
          if (!advance(deadline)) return false;
          end_head();
        }
        break;
      case Doing::nothing:
      case Doing::ahead:
        break;
    }
  }
  return true;
}

// One run of the pass, a body or a head, to its end. False when the step ends first: for the deadline, or since nobody is left
// to work for. The flag of a timeline alone ends it at once; several are looked at every few milliseconds, so that cancelling
// need not know whose pass is under way.
bool Turn::advance(const Deadline& deadline) {
  const bool alone = parts_.size() == 1;
  for (;;) {
    const Deadline slice = alone ? deadline : Deadline::after_us(kCancelSliceUs);
    const bool last = alone || deadline < slice;
    if (run(last ? deadline : slice, alone ? parts_.front().member->timeline->cancelled : kNever)) return true;
    const model::Pass& pass = lent_->pass;
    if (pass.failure() != Status::ok) {
      for (Part& part : parts_) attempt(*part.member, [&] { throw Error(pass.failure(), pass.failure_text()); });
      return false;
    }
    see_cancelled();
    // A pass that waits for something outside goes on with the next step.
    if (last || pass.waiting() || is_abandoned()) return false;
  }
}

bool Turn::run(const Deadline& deadline, const CancelFlag& cancel) noexcept {
  model::Pass& pass = lent_->pass;
  std::array<double, model::kParts> before;
  std::ranges::copy(pass.part_us(), before.begin());
  pass.take_longest_unit_us();  // of another's step
  const bool ended = pass.advance(tasks_, deadline, cancel);
  longest_unit_us_ = std::max(longest_unit_us_, pass.take_longest_unit_us());
  for (std::size_t i = 0; i < before.size(); ++i) part_us_[i] += pass.part_us()[i] - before[i];
  return ended;
}

void Turn::end_body() noexcept {
  doing_ = Doing::rows;
  reported_ = 0;
  for (Part& part : parts_) {
    Timeline& timeline = *part.member->timeline;
    part.member->result.step.prompt_tokens += timeline.take_in(part.rows);
    if (timeline.follows_routes()) attempt(*part.member, [&] { timeline.keep_routes(lent_->pass, part.rows); });
  }
}

void Turn::report(const StepOptions& options) noexcept {
  Member& member = *parts_.front().member;
  const model::Pass& pass = lent_->pass;
  const Matrix<const float> logits = pass.logits();
  attempt(member, [&] {
    for (std::int64_t i = 0; i < logits.rows; ++i) {
      options.on_logits(parts_.front().rows.first_position + reported_ + i, {logits.row(i), std::size_t(logits.cols)});
    }
    reported_ += logits.rows;
    doing_ = Doing::rows;
  });
}

// Of the last rows and the guesses of those who have nothing queued: for others the logits are not needed.
void Turn::begin_head() noexcept {
  head_rows_.clear();
  for (Part& part : parts_) {
    part.wants_logits = part.member->timeline->queued() == 0;
    if (!part.wants_logits) part.guesses = 0;
    part.logit_row = std::int64_t(head_rows_.size());
    const std::int64_t last = part.rows.first_row + part.rows.rows - 1;
    for (std::int64_t row = last; part.wants_logits && row <= last + part.guesses; ++row) head_rows_.push_back(row);
  }
  if (head_rows_.empty()) {
    end_pass();
    return;
  }
  lent_->pass.begin_head(head_rows_);
  doing_ = Doing::head;
}

void Turn::end_head() noexcept {
  bool ahead = false;
  for (const Part& part : parts_) {
    if (!part.wants_logits) continue;
    part.member->timeline->take_logits(lent_->pass.logits().row(part.logit_row));
    ahead |= part.guesses > 0;
  }
  if (ahead) {
    doing_ = Doing::ahead;
  } else {
    end_pass();
  }
}

void Turn::end_pass() noexcept {
  for (const Part& part : parts_) part.member->timeline->under_way = nullptr;
  parts_.clear();
  doing_ = Doing::nothing;
}

void Turn::see_cancelled() noexcept {
  for (Member& member : members_) {
    if (member.done || !member.timeline->cancelled.exchange(false)) continue;
    member.result.step.stop = StopReason::cancelled;
    member.done = true;
  }
}

// Nobody is left for whom the pass under way works.
bool Turn::is_abandoned() const noexcept {
  return std::ranges::all_of(parts_, [](const Part& part) { return part.member->done; });
}

// ---- between steps

void Turn::settle() noexcept {
  drop_body();
  if (doing_ == Doing::nothing) return;
  if (doing_ != Doing::head) begin_head();
  if (doing_ == Doing::head) {
    run(Deadline::never(), kNever);
    end_head();
  }
  lent_ = {};
}

void Turn::drop_body() noexcept {
  for (Part& part : parts_) part.guesses = 0;
  if (doing_ != Doing::body && doing_ != Doing::ahead) return;
  lent_->pass.stop();
  end_pass();
  lent_ = {};
}

void Turn::drop() noexcept {
  if (parts_.size() != 1) {
    settle();
    return;
  }
  lent_->pass.stop();
  end_pass();
  lent_ = {};
}

}  // namespace fathom
