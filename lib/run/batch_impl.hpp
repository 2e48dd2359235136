// What a Batch holds.
#pragma once

#include <memory>

#include "fathom/batch.hpp"
#include "run/turn.hpp"

namespace fathom {

struct Batch::Impl {
  Impl(std::shared_ptr<const Model::Impl> model, const BatchOptions& options);
  ~Impl();

  const std::shared_ptr<const Model::Impl> model;
  Turn turn;
};

}  // namespace fathom
