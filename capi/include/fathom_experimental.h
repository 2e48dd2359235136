/* Functions that are being tried out. They live in libfathom_experimental.so, which has all of libfathom.so as well, and may
 * change or go with any version: nothing here is frozen. The rules of fathom.h hold. */
#ifndef FATHOM_EXPERIMENTAL_H
#define FATHOM_EXPERIMENTAL_H

#include "fathom.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called before each token is drawn with the logits it is drawn from, to edit; anything but 0 fails the step with
 * FATHOM_CALLBACK_FAILED, and the next step calls again. */
typedef int32_t (*fathom_x_logits_hook)(void* user, int64_t position, float* logits, size_t count);

/* NULL removes the hook. A fork takes it along, a saved state does not. */
FATHOM_API int32_t fathom_x_session_set_logits_hook(fathom_session* session, fathom_x_logits_hook hook, void* user);

/* Experts of a layer that may be chosen: info.experts of them, 0 for those that may not. NULL and 0: all.
 * FATHOM_INVALID_ARGUMENT when fewer are left than a token takes, or the layer has no experts. */
FATHOM_API int32_t fathom_x_session_mask_experts(fathom_session* session, int32_t layer, const uint8_t* allowed, size_t count);

/* The experts of a layer that every token takes: info.experts_per_token different ones. NULL and 0: the router's choice. Their
 * gates are what the router gives them. */
FATHOM_API int32_t fathom_x_session_force_experts(fathom_session* session, int32_t layer, const int32_t* experts, size_t count);

#ifdef __cplusplus
}
#endif

#endif
