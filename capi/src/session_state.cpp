// fathom_session_save, fathom_session_saved_bytes, fathom_session_restore
#include "buffers.hpp"
#include "objects.hpp"

namespace {

// Calls the host; anything but 0, and an exception, is failure.
template <typename Call>
void ask(const char* name, Call&& hook) {
  int32_t answer = 0;
  try {
    answer = hook();
  } catch (...) {
    capi::fail(FATHOM_CALLBACK_FAILED, std::string("the ") + name + " callback threw an exception");
  }
  if (answer != 0) {
    capi::fail(FATHOM_CALLBACK_FAILED, std::string("the ") + name + " callback returned " + std::to_string(answer));
  }
}

}  // namespace

int32_t fathom_session_save(const fathom_session* session, fathom_write write, void* user) {
  return capi::guard([&] {
    const auto used = capi::read(session, "session");
    capi::require(write != nullptr, "write is NULL");
    used->value.save(
        [&](std::span<const std::byte> bytes) { ask("write", [&] { return write(user, bytes.data(), bytes.size()); }); });
  });
}

int32_t fathom_session_saved_bytes(const fathom_session* session, uint64_t* bytes) {
  return capi::guard([&] {
    const auto used = capi::read(session, "session");
    capi::require(bytes != nullptr, "bytes is NULL");
    *bytes = std::uint64_t(used->value.saved_bytes());
  });
}

int32_t fathom_session_restore(fathom_session* session, fathom_read read, void* user) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    capi::require(read != nullptr, "read is NULL");
    used->value.restore(
        [&](std::span<std::byte> bytes) { ask("read", [&] { return read(user, bytes.data(), bytes.size()); }); });
  });
}
