// What a Session holds.
#pragma once

#include <memory>

#include "fathom/session.hpp"
#include "run/timeline.hpp"
#include "run/turn.hpp"

namespace fathom {

struct Session::Impl {
  Impl(std::shared_ptr<const Model::Impl> model, const SessionOptions& options);
  // Goes on where `other` stands.
  explicit Impl(const Impl& other);
  ~Impl();

  const PassLimits limits;
  Timeline timeline;
  Turn turn;  // of this timeline alone
};

}  // namespace fathom
