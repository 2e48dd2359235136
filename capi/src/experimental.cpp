// fathom_x_*: not part of libfathom.so.
#include "fathom_experimental.h"

#include "buffers.hpp"
#include "objects.hpp"

int32_t fathom_x_session_set_logits_hook(fathom_session* session, fathom_x_logits_hook hook, void* user) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    if (hook == nullptr) return used->value.set_logits_hook({});
    used->value.set_logits_hook([hook, user](std::int64_t position, std::span<float> logits) {
      int32_t answer = 0;
      try {
        answer = hook(user, position, logits.data(), logits.size());
      } catch (...) {
        capi::fail(FATHOM_CALLBACK_FAILED, "the logits hook threw an exception");
      }
      if (answer != 0) capi::fail(FATHOM_CALLBACK_FAILED, "the logits hook returned " + std::to_string(answer));
    });
  });
}

int32_t fathom_x_session_mask_experts(fathom_session* session, int32_t layer, const uint8_t* allowed, size_t count) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    used->value.mask_experts(layer, capi::read_array(allowed, count, "allowed"));
  });
}

int32_t fathom_x_session_force_experts(fathom_session* session, int32_t layer, const int32_t* experts, size_t count) {
  return capi::guard([&] {
    const auto used = capi::write(session, "session");
    used->value.force_experts(layer, capi::read_array(experts, count, "experts"));
  });
}
