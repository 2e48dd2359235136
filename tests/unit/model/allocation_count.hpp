// How many blocks operator new has handed out in this process; the test executable replaces it to count.
#pragma once

#include <cstdint>

namespace fathom::test {

std::int64_t allocation_count();

}  // namespace fathom::test
