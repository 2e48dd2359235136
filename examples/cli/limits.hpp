// What an option accepts, checked when the command line is read and shown in its help. The limits are the library's.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>

namespace cli {

inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
inline constexpr float kNoUpperLimit = std::numeric_limits<float>::max();
inline constexpr std::int64_t kMostThreads = 1024;
inline constexpr std::int64_t kMostRows = 4096;  // tokens that go through a model together, and sessions of a batch
inline constexpr std::int64_t kMostTokens = std::numeric_limits<std::int32_t>::max();

CLI::Validator integer(std::int64_t least, std::int64_t most = kNoLimit);

// Of 64 bits, without a sign.
CLI::Validator seed();

// Finite numbers.
CLI::Validator number();
CLI::Validator number_from(float least, float most = kNoUpperLimit);
CLI::Validator number_above(float least, float most = kNoUpperLimit);

}  // namespace cli
