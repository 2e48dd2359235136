// Structs that grow: struct_size says how much of one the caller's header knew.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "guard.hpp"

namespace capi {

// Size of each struct in the first version of the header. Less than that is a mistake of the caller, never an older header.
template <typename Struct>
inline constexpr std::uint32_t first_size = 0;
template <>
inline constexpr std::uint32_t first_size<fathom_allocator> = 32;
template <>
inline constexpr std::uint32_t first_size<fathom_task_system> = 24;
template <>
inline constexpr std::uint32_t first_size<fathom_file_system> = 64;
template <>
inline constexpr std::uint32_t first_size<fathom_log_sink> = 24;
template <>
inline constexpr std::uint32_t first_size<fathom_runtime_options> = 64;
template <>
inline constexpr std::uint32_t first_size<fathom_runtime_info> = 32;
template <>
inline constexpr std::uint32_t first_size<fathom_model_options> = 24;
template <>
inline constexpr std::uint32_t first_size<fathom_model_info> = 144;
template <>
inline constexpr std::uint32_t first_size<fathom_memory_needs> = 56;
template <>
inline constexpr std::uint32_t first_size<fathom_chat_options> = 32;
template <>
inline constexpr std::uint32_t first_size<fathom_sampling_options> = 48;
template <>
inline constexpr std::uint32_t first_size<fathom_stop_options> = 40;
template <>
inline constexpr std::uint32_t first_size<fathom_session_options> = 48;
template <>
inline constexpr std::uint32_t first_size<fathom_step_options> = 24;
template <>
inline constexpr std::uint32_t first_size<fathom_step_result> = 40;
template <>
inline constexpr std::uint32_t first_size<fathom_batch_options> = 16;
template <>
inline constexpr std::uint32_t first_size<fathom_batch_result> = 48;

// No struct of any version will be larger, so a wild struct_size is not followed into memory that is not the caller's.
inline constexpr std::uint32_t kLargestStruct = 4096;

template <typename Struct>
std::uint32_t checked_size(const Struct* given, const char* name) {
  static_assert(first_size<Struct> != 0 && first_size<Struct> <= sizeof(Struct), "the struct's first size is not listed above");
  const std::uint32_t size = given->struct_size;
  if (size < first_size<Struct> || size > kLargestStruct) {
    fail(FATHOM_INVALID_ARGUMENT, std::string(name) + ".struct_size is " + std::to_string(size) + ", expected sizeof(" + name +
                                      "), which is " + std::to_string(sizeof(Struct)) + " here");
  }
  return size;
}

// The caller's options, what is missing being zero. Throws unsupported when something is set that this library does not know.
template <typename Struct>
Struct read_options(const Struct* given, const char* name) {
  Struct options = {};
  if (given == nullptr) return options;
  const std::uint32_t size = checked_size(given, name);
  std::memcpy(&options, given, std::min<std::size_t>(size, sizeof options));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof options &&
      std::any_of(bytes + sizeof options, bytes + size, [](unsigned char byte) { return byte != 0; })) {
    fail(FATHOM_UNSUPPORTED, std::string(name) + " sets a field that is newer than this library, fathom " + fathom_version());
  }
  return options;
}

// Copies as much of `result` as the caller has room for and zeroes the rest. struct_size stays as it is.
template <typename Struct>
void write_result(Struct result, Struct* out, const char* name) {
  const std::uint32_t size = checked_size(out, name);
  result.struct_size = size;
  std::memcpy(out, &result, std::min<std::size_t>(size, sizeof result));
  if (size > sizeof result) std::memset(reinterpret_cast<unsigned char*>(out) + sizeof result, 0, size - sizeof result);
}

inline bool read_flag(std::uint32_t value, const char* name) {
  if (value > 1) fail(FATHOM_INVALID_ARGUMENT, std::string(name) + " is " + std::to_string(value) + ", expected 0 or 1");
  return value == 1;
}

inline void require_reserved(std::int64_t value, const char* name) {
  if (value != 0) fail(FATHOM_UNSUPPORTED, std::string(name) + " is not 0: it has no meaning in fathom " + fathom_version());
}

}  // namespace capi
