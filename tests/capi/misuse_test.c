/* What the C interface does with those who misuse it: handles that were released or are of another kind, objects in use, calls
 * from inside callbacks, every struct_size, fields that must be zero, hooks that are half there.
 *   misuse_test MODEL        a folder with a small mixture-of-experts model and a tokenizer (text_model.py) */
#include <fathom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "small_session.h"

static void released_handles(const fathom_model* model) {
  fathom_session* session = create_session(model);
  fathom_session_release(session);
  fathom_session_release(session);
  fathom_session_cancel(session);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_step(session, NULL, NULL));
  CHECK(strstr(fathom_last_error(), "released") != NULL);
  fathom_session* fork = NULL;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_fork(session, &fork));
  CHECK(fork == NULL);
}

static void other_kinds(fathom_model* model) {
  fathom_session* session = create_session(model);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_step((fathom_session*)(void*)model, NULL, NULL));
  CHECK(strstr(fathom_last_error(), "model") != NULL);
  size_t needed = 0;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode((fathom_model*)(void*)session, "a", 1, 0, NULL, 0, &needed));
  fathom_session_release(session);
}

/* A struct with room behind it. The call takes every size from the first version's to 64 more, refuses a byte that is set
 * behind what is known, a smaller and an absurd size. */
#define EACH_SIZE(type, first, call)                                \
  do {                                                              \
    union {                                                         \
      type known;                                                   \
      unsigned char bytes[sizeof(type) + 64];                       \
    } each;                                                         \
    memset(&each, 0, sizeof each);                                  \
    type* given = &each.known;                                      \
    for (uint32_t size = (first); size <= sizeof each; ++size) {    \
      given->struct_size = size;                                    \
      CHECK_OK(call);                                               \
    }                                                               \
    for (size_t at = sizeof(type); at < sizeof each; ++at) {        \
      each.bytes[at] = 1;                                           \
      CHECK_FAILS(FATHOM_UNSUPPORTED, call);                        \
      each.bytes[at] = 0;                                           \
    }                                                               \
    const uint32_t wrong[] = {0, 4, (first) - 1, 4097, UINT32_MAX}; \
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {   \
      given->struct_size = wrong[i];                                \
      CHECK_FAILS(FATHOM_INVALID_ARGUMENT, call);                   \
    }                                                               \
  } while (0)

/* Results are cut to the size, and cleared behind what is known. */
#define EACH_RESULT_SIZE(type, first, call)                                       \
  do {                                                                            \
    union {                                                                       \
      type known;                                                                 \
      unsigned char bytes[sizeof(type) + 65];                                     \
    } each;                                                                       \
    type* given = &each.known;                                                    \
    for (uint32_t size = (first); size <= sizeof(type) + 64; ++size) {            \
      memset(&each, 0xa5, sizeof each);                                           \
      given->struct_size = size;                                                  \
      CHECK_OK(call);                                                             \
      CHECK(given->struct_size == size && each.bytes[size] == 0xa5);              \
      for (size_t at = sizeof(type); at < size; ++at) CHECK(each.bytes[at] == 0); \
    }                                                                             \
    given->struct_size = (first) - 1;                                             \
    CHECK_FAILS(FATHOM_INVALID_ARGUMENT, call);                                   \
    given->struct_size = 4097;                                                    \
    CHECK_FAILS(FATHOM_INVALID_ARGUMENT, call);                                   \
  } while (0)

static int32_t create_and_release_runtime(const fathom_runtime_options* options) {
  fathom_runtime* made = NULL;
  const int32_t status = fathom_runtime_create(options, &made);
  fathom_runtime_release(made);
  return status;
}
static int32_t create_and_release_session(const fathom_model* model, const fathom_session_options* options) {
  fathom_session* made = NULL;
  const int32_t status = fathom_session_create(model, options, &made);
  fathom_session_release(made);
  return status;
}
static int32_t create_and_release_batch(const fathom_model* model, const fathom_batch_options* options) {
  fathom_batch* made = NULL;
  const int32_t status = fathom_batch_create(model, options, &made);
  fathom_batch_release(made);
  return status;
}
static int32_t step_again(fathom_session* session, const fathom_step_options* options, fathom_step_result* result) {
  if (fathom_session_reset(session) || fathom_session_append(session, kPrompt, 4)) return -1;
  return fathom_session_step(session, options, result);
}

static void struct_sizes(const fathom_runtime* runtime, const fathom_model* model, const char* path) {
  fathom_session* session = create_session(model);
  fathom_batch* batch = NULL;
  const fathom_message message = {"user", 4, "hi", 2};
  int32_t tokens[64];
  size_t needed = 0;
  CHECK_OK(fathom_batch_create(model, NULL, &batch));
  CHECK_OK(fathom_batch_add(batch, session));
  EACH_SIZE(fathom_runtime_options, 64, create_and_release_runtime(given));
  EACH_SIZE(fathom_chat_options, 32, fathom_encode_chat(model, &message, 1, given, tokens, 64, &needed));
  EACH_SIZE(fathom_sampling_options, 48, fathom_session_set_sampling(session, given));
  EACH_SIZE(fathom_stop_options, 40, fathom_session_set_stop(session, given));
  EACH_SIZE(fathom_session_options, 48, create_and_release_session(model, given));
  EACH_SIZE(fathom_step_options, 24, step_again(session, given, NULL));
  EACH_SIZE(fathom_batch_options, 16, create_and_release_batch(model, given));
  {
    fathom_memory_needs needs = {.struct_size = sizeof needs};
    EACH_SIZE(fathom_model_options, 24, fathom_model_memory_needs(runtime, path, strlen(path), given, &needs));
  }
  EACH_RESULT_SIZE(fathom_runtime_info, 32, fathom_runtime_get_info(runtime, given));
  EACH_RESULT_SIZE(fathom_model_info, 144, fathom_model_get_info(model, given));
  EACH_RESULT_SIZE(fathom_sampling_options, 48, fathom_model_recommended_sampling(model, given));
  EACH_RESULT_SIZE(fathom_memory_needs, 56, fathom_session_memory_needs(model, NULL, given));
  EACH_RESULT_SIZE(fathom_step_result, 40, step_again(session, NULL, given));
  EACH_RESULT_SIZE(fathom_batch_result, 48, fathom_batch_step(batch, NULL, given));
  EACH_RESULT_SIZE(fathom_step_result, 40, fathom_batch_get_result(batch, session, given));
  fathom_batch_release(batch);
  fathom_session_release(session);
}

static void reserved_and_flags(const fathom_model* model) {
  fathom_session* session = create_session(model);
  fathom_sampling_options sampling = {.struct_size = sizeof sampling, .reserved = 1};
  fathom_step_options step = {.struct_size = sizeof step, .reserved = 1};
  fathom_batch_options batch = {.struct_size = sizeof batch, .reserved = 1};
  fathom_session_options options = {.struct_size = sizeof options, .trace_routes = 2};
  fathom_log_sink log = {.struct_size = sizeof log, .reserved = 1};
  fathom_runtime_options runtime = {.struct_size = sizeof runtime, .log = &log};
  CHECK_FAILS(FATHOM_UNSUPPORTED, fathom_session_set_sampling(session, &sampling));
  CHECK_FAILS(FATHOM_UNSUPPORTED, fathom_session_step(session, &step, NULL));
  CHECK_FAILS(FATHOM_UNSUPPORTED, create_and_release_batch(model, &batch));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, create_and_release_session(model, &options));
  options.trace_routes = 0;
  options.top_logprobs = 21;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, create_and_release_session(model, &options));
  CHECK_FAILS(FATHOM_UNSUPPORTED, create_and_release_runtime(&runtime));
  fathom_session_release(session);
}

static void hooks_that_are_half_there(void) {
  const fathom_allocator allocator = {.struct_size = sizeof allocator};
  const fathom_task_system tasks = {.struct_size = sizeof tasks, .concurrency = 1};
  const fathom_file_system files = {.struct_size = sizeof files};
  const fathom_log_sink log = {.struct_size = sizeof log};
  fathom_runtime_options options = {.struct_size = sizeof options, .allocator = &allocator};
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, create_and_release_runtime(&options));
  options.allocator = NULL;
  options.tasks = &tasks;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, create_and_release_runtime(&options));
  options.tasks = NULL;
  options.files = &files;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, create_and_release_runtime(&options));
  options.files = NULL;
  options.log = &log;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, create_and_release_runtime(&options));
}

static void wrong_moments(const fathom_model* model) {
  fathom_session* session = create_session(model);
  size_t needed = 0;
  fathom_logprob logprobs[4];
  fathom_route routes[4];
  uint64_t counts[64];
  CHECK_FAILS(FATHOM_WRONG_STATE, fathom_session_read_logprobs(session, logprobs, 4, &needed));
  CHECK_FAILS(FATHOM_WRONG_STATE, fathom_session_read_routes(session, routes, 4, &needed));
  CHECK_FAILS(FATHOM_WRONG_STATE, fathom_session_route_totals(session, 0, counts, NULL, 64, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_rewind(session, 5));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_rewind(session, SIZE_MAX));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_sync(session, NULL, 3, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_save(session, NULL, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_restore(session, NULL, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_generate(session, 1, NULL, NULL, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_open_memory(NULL, NULL, 0, NULL, NULL));
  CHECK_FAILS(FATHOM_NOT_FOUND, fathom_model_text_key(model, 1000000, NULL, 0, &needed));
  CHECK_FAILS(FATHOM_NOT_FOUND, fathom_model_text(model, "no such key", 11, NULL, 0, &needed));
  int32_t token = 0;
  CHECK_FAILS(FATHOM_NOT_FOUND, fathom_find_token(model, "no such token", 13, &token));
  CHECK_OK(fathom_find_token(model, "<s>", 3, &token));
  CHECK(token == 0);
  fathom_session_release(session);
}

/* What a sentence quotes is the host's, and need not be UTF-8 nor short. */
static int32_t encode_role(const fathom_model* model, const char* role, size_t size) {
  const fathom_message message = {role, size, "hi", 2};
  size_t needed = 0;
  return fathom_encode_chat(model, &message, 1, NULL, NULL, 0, &needed);
}
static void sentences_are_utf8(const fathom_model* model) {
  const struct {
    const char *role, *quoted;
  } cases[] = {{"\xff", "'?'"},
               {"a\xc3", "'a?'"},
               {"\xc3\xa4\xe4\xbd\xa0\xf0\x9f\x98\x80", "'\xc3\xa4\xe4\xbd\xa0\xf0\x9f\x98\x80'"},
               {"\xc0\x80", "'\?\?'"},
               {"\xed\xa0\x80", "'\?\?\?'"},
               {"\xf4\x90\x80\x80", "'\?\?\?\?'"},
               {"\xe4\xbd!", "'\?\?!'"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    CHECK_FAILS(FATHOM_INVALID_ARGUMENT, encode_role(model, cases[i].role, strlen(cases[i].role)));
    CHECK(strstr(fathom_last_error(), cases[i].quoted) != NULL);
  }
  char longer[4000]; /* three bytes each: the end must not cut one in two */
  for (size_t shift = 0; shift < 3; ++shift) {
    memset(longer, 'a', shift);
    for (size_t i = shift; i < sizeof longer; ++i) longer[i] = "\xe4\xbd\xa0"[(i - shift) % 3];
    CHECK_FAILS(FATHOM_INVALID_ARGUMENT, encode_role(model, longer, sizeof longer));
    const size_t size = strlen(fathom_last_error());
    CHECK(size > 1000 && memcmp(fathom_last_error() + size - 3, "\xe4\xbd\xa0", 3) == 0);
  }
}

/* From inside a text sink: the session itself is in use; others are not; a release waits for the end of the call. */
struct Reentry {
  fathom_session *session, *other;
  int calls;
};
static int32_t reenter(void* user, const char* text, size_t size) {
  struct Reentry* r = user;
  size_t needed = 0;
  const int32_t wanted = r->calls < 3 ? FATHOM_WRONG_STATE : FATHOM_INVALID_ARGUMENT;
  (void)text, (void)size;
  CHECK_FAILS(wanted, fathom_session_step(r->session, NULL, NULL));
  CHECK_FAILS(wanted, fathom_session_append(r->session, kPrompt, 1));
  CHECK_FAILS(wanted, fathom_session_tokens(r->session, NULL, 0, &needed));
  CHECK_FAILS(wanted, fathom_session_reset(r->session));
  CHECK_OK(fathom_session_step(r->other, NULL, NULL));
  if (++r->calls == 3) fathom_session_release(r->session);
  return r->calls == 5;
}

static void callbacks_call_back(const fathom_model* model) {
  struct Reentry r = {create_session(model), create_session(model), 0};
  fathom_step_result result = {.struct_size = sizeof result};
  CHECK_OK(fathom_session_generate(r.session, 50, reenter, &r, &result));
  CHECK(r.calls == 5 && result.stop == FATHOM_STOP_CANCELLED);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_step(r.session, NULL, NULL)); /* released inside */
  fathom_session_release(r.other);
}

struct Loading {
  const fathom_runtime* runtime;
  const char* path;
  int depth;
};
static int32_t open_inside(void* user, double done, const char* what) {
  struct Loading* l = user;
  (void)done, (void)what;
  if (l->depth++ == 0) {
    fathom_model* inner = NULL;
    CHECK_OK(fathom_model_open(l->runtime, l->path, strlen(l->path), NULL, &inner));
    fathom_model_release(inner);
  }
  return 0;
}

static void models_open_inside_progress(const fathom_runtime* runtime, const char* path) {
  struct Loading loading = {runtime, path, 0};
  const fathom_model_options options = {.struct_size = sizeof options, .progress = open_inside, .progress_user = &loading};
  fathom_model* model = NULL;
  CHECK_OK(fathom_model_open(runtime, path, strlen(path), &options, &model));
  CHECK(loading.depth > 0);
  fathom_model_release(model);
}

/* Asking how much there is to read takes nothing out of a saved state. */
struct State {
  unsigned char bytes[1 << 20];
  size_t size, at;
};
static int32_t keep(void* user, const void* data, size_t bytes) {
  struct State* state = user;
  if (bytes > sizeof state->bytes - state->size) return 1;
  memcpy(state->bytes + state->size, data, bytes);
  state->size += bytes;
  return 0;
}
static int32_t give(void* user, void* data, size_t bytes) {
  struct State* state = user;
  if (bytes > state->size - state->at) return 1;
  memcpy(data, state->bytes + state->at, bytes);
  state->at += bytes;
  return 0;
}
static void sizes_take_nothing(const fathom_model* model) {
  static struct State state;
  const fathom_step_options step = {.struct_size = sizeof step, .max_new_tokens = 5};
  fathom_session *a = create_session(model), *b = create_session(model);
  int32_t tokens[8], again[8];
  size_t needed = 0, count = 0;
  CHECK_OK(fathom_session_step(a, &step, NULL));
  CHECK_OK(fathom_session_read_tokens(a, NULL, 0, &needed));
  CHECK_FAILS(FATHOM_BUFFER_TOO_SMALL, fathom_session_read_tokens(a, tokens, 4, &needed));
  CHECK_OK(fathom_session_save(a, keep, &state));
  CHECK_OK(fathom_session_restore(b, give, &state));
  CHECK_OK(fathom_session_read_tokens(a, tokens, 8, &needed));
  CHECK_OK(fathom_session_read_tokens(b, again, 8, &count));
  CHECK(needed == 5 && count == 5 && memcmp(tokens, again, sizeof tokens[0] * 5) == 0);
  fathom_session_release(a);
  fathom_session_release(b);
}

/* Members leave when they are released, in any order, and a batch may go first. */
static void batches_and_members(const fathom_model* model) {
  fathom_batch* batch = NULL;
  fathom_batch_result result = {.struct_size = sizeof result};
  const fathom_step_options slice = {.struct_size = sizeof slice, .budget_us = 1};
  fathom_session *a = create_session(model), *b = create_session(model);
  CHECK_OK(fathom_batch_create(model, NULL, &batch));
  CHECK_OK(fathom_batch_add(batch, a));
  CHECK_OK(fathom_batch_add(batch, b));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_batch_add(batch, a));
  CHECK_OK(fathom_batch_step(batch, &slice, &result));
  CHECK(result.sessions == 2 && result.active == 2);
  fathom_session_release(a);
  CHECK_OK(fathom_batch_step(batch, NULL, &result));
  CHECK(result.sessions == 1 && result.new_tokens == 1);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_batch_get_result(batch, a, NULL));
  CHECK_OK(fathom_batch_step(batch, &slice, NULL));
  fathom_batch_release(batch);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_batch_step(batch, NULL, NULL));
  CHECK_OK(fathom_session_step(b, NULL, NULL));
  fathom_session_release(b);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  fathom_runtime_options options = {.struct_size = sizeof options, .threads = 2};
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  CHECK_OK(fathom_runtime_create(&options, &runtime));
  CHECK_OK(fathom_model_open(runtime, argv[1], strlen(argv[1]), NULL, &model));
  if (model == NULL) return 1;
  released_handles(model);
  other_kinds(model);
  struct_sizes(runtime, model, argv[1]);
  reserved_and_flags(model);
  hooks_that_are_half_there();
  wrong_moments(model);
  sentences_are_utf8(model);
  callbacks_call_back(model);
  models_open_inside_progress(runtime, argv[1]);
  sizes_take_nothing(model);
  batches_and_members(model);
  fathom_model_release(model);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_get_info(model, NULL));
  fathom_runtime_release(runtime);
  return report_checks();
}
