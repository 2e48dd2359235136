// What tells one checkpoint from another.
#pragma once

#include <array>
#include <cstdint>

#include "model/pass/network.hpp"

namespace fathom::model {

// Over the configuration and the rotary frequencies that follow from it; the names, shapes, formats and sizes of all tensors,
// in the order of their names; and up to 256 bytes from the beginning and the end of each. Where the tensors lie does not
// matter, so that a copy and a split of it are equal. Its four words are XXH64 with the seeds 0 to 3.
std::array<std::uint8_t, 32> fingerprint(const Network& network);

}  // namespace fathom::model
