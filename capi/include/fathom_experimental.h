/* Experimental functions, in libfathom_experimental.so, which also has all of libfathom.so. They may change or disappear with
 * any version. The rules of fathom.h apply. */
#ifndef FATHOM_EXPERIMENTAL_H
#define FATHOM_EXPERIMENTAL_H

#include "fathom.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Edits the logits before each token is drawn. Any return value but 0 fails the step with FATHOM_CALLBACK_FAILED, and the next
 * step calls again. */
typedef int32_t (*fathom_x_logits_hook)(void* user, int64_t position, float* logits, size_t count);

/* Sets the hook; NULL removes it. A fork copies it, a saved state does not. */
FATHOM_API int32_t fathom_x_session_set_logits_hook(fathom_session* session, fathom_x_logits_hook hook, void* user);

/* Sets which experts of a layer may be chosen: info.experts bytes, 0 for a forbidden one. NULL and 0: all.
 * FATHOM_INVALID_ARGUMENT when fewer are left than a token takes, or the layer has no experts. */
FATHOM_API int32_t fathom_x_session_mask_experts(fathom_session* session, int32_t layer, const uint8_t* allowed, size_t count);

/* Sets the experts of a layer that every token takes: info.experts_per_token different ones. NULL and 0: the router chooses.
 * The router computes their gates. */
FATHOM_API int32_t fathom_x_session_force_experts(fathom_session* session, int32_t layer, const int32_t* experts, size_t count);

#ifdef __cplusplus
}
#endif

#endif
