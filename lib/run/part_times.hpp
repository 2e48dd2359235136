// A pass's account of its time, with names.
#pragma once

#include <span>

#include "fathom/session.hpp"
#include "model/pass/plan.hpp"

namespace fathom {

inline PartTimes name_parts(std::span<const double, model::kParts> us) noexcept {
  const auto of = [&](model::Part part) { return us[std::size_t(part)]; };
  using enum model::Part;
  return {of(attention), of(router), of(experts), of(mlp), of(head), of(other)};
}

}  // namespace fathom
