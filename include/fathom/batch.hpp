// A batch: sessions of one model that step together, so that weights are read once for all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "fathom/session.hpp"

namespace fathom {

struct BatchOptions {
  std::int32_t rows = 512;     // most tokens that go through the model together
  std::int32_t sessions = 64;  // most members; at most `rows`
};

struct BatchStepOptions {
  std::int64_t budget_us = 0;       // return after about this long; 0: no limit
  std::int64_t max_new_tokens = 1;  // of each member; 0: only process appended tokens
};

struct BatchResult {
  std::int32_t sessions = 0;       // members
  std::int32_t active = 0;         // members that can generate or have queued tokens
  std::int32_t failed = 0;         // members whose part in this step failed
  std::int64_t prompt_tokens = 0;  // of all members together, as in StepResult
  std::int64_t new_tokens = 0;
  std::int64_t queued_tokens = 0;
  double longest_unit_us = 0;
};

// The result of the last step for one member.
struct MemberResult {
  StepResult step;
  std::optional<Error> error;  // when its part failed; the member takes part in the next step again
};

// Not thread-safe, nor are its members while it steps, except their cancel(). Keeps its model alive, not its members: a session
// that is destroyed leaves. Members hold their caches and outputs; the scratch memory of joint passes is shared.
class Batch {
 public:
  // All memory is taken here and in add(), and scratch memory for one step at a time. Throws Error.
  explicit Batch(const Model& model, const BatchOptions& options = {});
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  ~Batch();

  // Adds a member. Throws Error{invalid_argument} for a session of another model, a member of a batch, and a session for which
  // there is no room.
  void add(Session& session);
  // Removes a member. Throws Error{invalid_argument} for a session that is no member.
  void remove(Session& session);

  // Joint passes: first one token for each member that generates, then prompts, which share the remaining rows evenly, the
  // odd ones going to each in turn. Returns when a member has its max_new_tokens, so that nobody waits for another's prompt;
  // when no member has anything left to do; or when the budget ends, maybe inside a pass, which the next step resumes.
  // One member's failure leaves the others alone. Throws Error{out_of_memory}, with all members as they were, when all scratch
  // memory is in use by other steps and there is none for more.
  BatchResult step(const BatchStepOptions& options = {});
  // Throws Error{invalid_argument} for a session that is no member.
  const MemberResult& last_result(const Session& session) const;
  // Times of joint passes since the batch was made.
  PartTimes part_times() const noexcept;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom
