// What each handle is around.
#pragma once

#include <string>
#include <vector>

#include "fathom/batch.hpp"
#include "fathom/model.hpp"
#include "fathom/runtime.hpp"
#include "fathom/session.hpp"
#include "handles.hpp"
#include "host.hpp"

struct fathom_runtime final : capi::Handle<fathom::Runtime, capi::Kind::runtime> {
  using Handle::Handle;
};

struct fathom_model final : capi::Handle<fathom::Model, capi::Kind::model> {
  using Handle::Handle;
};

namespace capi {

// Sessions of a batch. Shared with the sessions, which leave when they are released.
struct Members {
  std::mutex mutex;
  std::vector<fathom_session*> sessions;
};

struct SessionContent {
  explicit SessionContent(fathom::Session value_) : value(std::move(value_)) {}

  fathom::Session value;
  std::shared_ptr<Members> joined;  // of the batch it is a member of
};

}  // namespace capi

struct fathom_session final : capi::Handle<capi::SessionContent, capi::Kind::session> {
  using Handle::Handle;
  void empty() noexcept override {
    if (const std::shared_ptr<capi::Members> joined = content->joined) {
      const std::lock_guard lock(joined->mutex);
      std::erase(joined->sessions, this);
      content.reset();  // leaves the batch
    }
    content.reset();
  }
};

namespace capi {

struct BatchContent {
  explicit BatchContent(fathom::Batch value_) : value(std::make_unique<fathom::Batch>(std::move(value_))) {}
  ~BatchContent() {
    const std::lock_guard lock(members->mutex);
    value.reset();
  }

  std::unique_ptr<fathom::Batch> value;
  std::shared_ptr<Members> members = std::make_shared<Members>();
};

}  // namespace capi

struct fathom_batch final : capi::Handle<capi::BatchContent, capi::Kind::batch> {
  using Handle::Handle;
};
