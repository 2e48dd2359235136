// What a Batch holds.
#pragma once

#include <memory>
#include <vector>

#include "fathom/batch.hpp"
#include "model/pass/pass.hpp"
#include "run/session_impl.hpp"

namespace fathom {

struct Batch::Impl {
  struct Member {
    Session::Impl* session = nullptr;
    MemberResult result;
    bool done = false;  // for this step: nothing left to do, or failed
  };
  // The rows of one member in the pass under way.
  struct Part {
    Session::Impl* session = nullptr;
    bool wants_logits = false;
  };

  Impl(std::shared_ptr<const Model::Impl> model, const BatchOptions& options);
  ~Impl();

  Member* find(const Session::Impl& session) noexcept;
  // The session is about to go.
  void forget(Session::Impl& session) noexcept;
  // A member is about to change: a body under way is dropped, since nobody has counted on it yet; a head under way is finished,
  // since its rows are in the caches already.
  void settle() noexcept;

  BatchResult step(const BatchStepOptions& options);
  bool prepare(Member& member, const BatchStepOptions& options);
  bool begin_pass(const BatchStepOptions& options);
  void add_rows(Member& member, std::int64_t rows);
  bool finish_pass(const Deadline& deadline);
  void end_body();
  void end_head() noexcept;
  void see_cancelled() noexcept;

  bool is_somebody_served(const BatchStepOptions& options) const noexcept;
  static void note_failure(Member& member, Status status, const char* sentence) noexcept;

  // Runs what may throw for one member; a failure is kept with it.
  template <typename Body>
  void attempt(Member& member, Body&& body) noexcept;

  std::shared_ptr<const Model::Impl> model;
  model::Pass pass;
  std::int64_t rows;
  std::size_t most_members;
  std::vector<Member> members;

  // The pass under way.
  enum class Doing { nothing, body, head } doing = Doing::nothing;
  std::vector<Part> parts;
  std::vector<model::RowSpan> spans;    // as parts
  std::vector<TokenId> ids;             // of all rows
  std::vector<std::int64_t> head_rows;  // those whose logits are wanted
  std::size_t turn = 0;                 // who gets the first odd row
  std::vector<Member*> ready, prompts;  // scratch of begin_pass
};

}  // namespace fathom
