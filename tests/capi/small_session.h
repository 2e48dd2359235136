/* A session that has a few tokens queued and stops at none, for tests that are about something else. */
#ifndef FATHOM_TESTS_SMALL_SESSION_H
#define FATHOM_TESTS_SMALL_SESSION_H

#include <fathom.h>

#include "check.h"

static const int32_t kPrompt[] = {0, 40, 41, 42};

static fathom_session* create_session(const fathom_model* model) {
  const fathom_stop_options stop = {.struct_size = sizeof stop, .ignore_stop_tokens = 1};
  const fathom_session_options options = {.struct_size = sizeof options, .context_length = 200, .stop = &stop};
  fathom_session* session = NULL;
  CHECK_OK(fathom_session_create(model, &options, &session));
  CHECK_OK(fathom_session_append(session, kPrompt, 4));
  return session;
}

#endif
