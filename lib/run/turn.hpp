// A turn: what one or several timelines do together in a step, with a pass that is borrowed for it. A session is a turn of its
// own timeline alone, a batch one of its members'.
//
// A step goes round three stations until everybody has what was asked for, or the budget ends:
//   propose   gives each timeline its rows of the next pass: queued tokens, and behind the last one guesses of the next ones
//   verify    runs the pass: the body stores the rows in the caches, the head makes logits of those that need them
//   commit    draws from the logits; while the token that is drawn is the next guess, the logits after it are there already.
//   The
//             rows of other guesses are forgotten: the next pass writes over them
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include "fathom/batch.hpp"
#include "model/pass/pass.hpp"
#include "run/pass_pool.hpp"
#include "run/timeline.hpp"

namespace fathom {

class Turn {
 public:
  struct Member {
    Timeline* timeline = nullptr;
    MemberResult result;         // the error is for the batch to fill in
    std::exception_ptr failure;  // what ended its part of the step
    bool done = false;           // for this step
  };

  // Throws Error{out_of_memory}.
  Turn(const Model::Impl& model, const PassLimits& limits, std::size_t most_members);
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { settle(); }

  // Throws Error{out_of_memory}. There must be room.
  void join(Timeline& timeline);
  void leave(Timeline& timeline) noexcept;
  bool full() const noexcept { return members_.size() == most_members_; }
  std::span<Member> members() noexcept { return members_; }
  // Null for a timeline that is no member.
  Member* find(const Timeline& timeline) noexcept;

  // Joint passes, until a member has its max_new_tokens, all members are done, or the budget ends, maybe inside a pass, which
  // the next step resumes. Failures of one member are noted with it. on_logits is for a turn of one. Throws
  // Error{out_of_memory} when a pass has to be made and there is no memory for it; nothing is changed then.
  void step(const StepOptions& options);
  // The longest unit of the last step.
  double longest_unit_us() const noexcept { return longest_unit_us_; }
  // Of all passes.
  std::span<const double, model::kParts> part_us() const noexcept { return part_us_; }

  // Ends the pass under way, and gives it back. Nobody has counted on a body yet, so it is dropped; rows of a finished one are
  // in the caches, so their head is finished.
  void settle() noexcept;
  // Drops a body under way and all guesses, and leaves a head.
  void drop_body() noexcept;
  // As settle, where one timeline of the pass does not want its rows any more: nothing is finished for it alone.
  void drop() noexcept;

 private:
  // The rows of one member in the pass under way.
  struct Part {
    Member* member = nullptr;
    model::RowSpan rows;         // without the guesses, which follow
    std::int64_t guesses = 0;    // that were neither drawn nor refuted yet
    bool wants_logits = false;   // of its last row and of the guesses
    std::int64_t logit_row = 0;  // of the head, of its last row
  };
  enum class Doing {
    nothing,
    body,
    rows,    // of a finished body are there, and nothing has begun with them
    report,  // a head for on_logits
    head,    // that of the last rows
    ahead,   // nothing runs: there are logits after guesses
  };

  bool is_wanted() const noexcept;
  bool is_worth_keeping() const noexcept;
  bool commit(const StepOptions& options);
  bool commit(Member& member, const StepOptions& options);
  bool accept_guess(Member& member) noexcept;
  void propose(const StepOptions& options);
  void add_rows(Member& member, std::int64_t count, std::span<const TokenId> guesses);
  bool verify(const StepOptions& options, const Deadline& deadline);

  bool advance(const Deadline& deadline);
  bool run(const Deadline& deadline, const CancelFlag& cancel) noexcept;
  void end_body() noexcept;
  void report(const StepOptions& options) noexcept;
  void begin_head() noexcept;
  void end_head() noexcept;
  void end_pass() noexcept;
  void see_cancelled() noexcept;
  bool is_abandoned() const noexcept;

  template <typename Body>
  static void attempt(Member& member, Body&& body) noexcept;

  TaskSystem& tasks_;
  PassPool::Seat seat_;
  PassPool::Lease lent_;  // while a step works, and while a pass is under way
  const std::size_t most_members_;
  std::vector<Member> members_;

  // The pass under way.
  Doing doing_ = Doing::nothing;
  std::vector<Part> parts_;
  std::vector<model::RowSpan> spans_;    // as parts
  std::vector<TokenId> ids_;             // of all rows
  std::vector<std::int64_t> head_rows_;  // those whose logits are wanted
  std::int64_t reported_ = 0;            // rows whose logits were reported

  std::size_t odd_row_ = 0;               // who gets the first one
  std::vector<Member*> ready_, prompts_;  // of commit and propose
  double longest_unit_us_ = 0.0;
  std::array<double, model::kParts> part_us_{};
};

}  // namespace fathom
