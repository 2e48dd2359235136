/* Longer than 400 lines: one program walks the whole interface, in the order of the header. */
/* Uses the C interface as a C99 program would, rightly and wrongly.
 *   capi_test MODEL        a folder with a small model and a tokenizer that takes every byte for a token (text_model.py) */
#include <fathom.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static fathom_runtime* create_runtime(void) {
  fathom_runtime_options options = {.struct_size = sizeof options, .threads = 2};
  fathom_runtime* runtime = NULL;
  CHECK_OK(fathom_runtime_create(&options, &runtime));
  return runtime;
}

static fathom_model* open_model(const fathom_runtime* runtime, const char* path) {
  fathom_model* model = NULL;
  CHECK_OK(fathom_model_open(runtime, path, strlen(path), NULL, &model));
  return model;
}

static fathom_session* create_session(const fathom_model* model) {
  const fathom_stop_options stop = {.struct_size = sizeof stop, .ignore_stop_tokens = 1};
  const fathom_session_options options = {.struct_size = sizeof options, .context_length = 64, .stop = &stop};
  fathom_session* session = NULL;
  CHECK_OK(fathom_session_create(model, &options, &session));
  return session;
}

static void names_and_version(void) {
  CHECK(strcmp(fathom_version(), "1.0.0") == 0);
  CHECK(strcmp(fathom_status_name(FATHOM_OK), "ok") == 0);
  CHECK(strcmp(fathom_status_name(FATHOM_CORRUPT_FILE), "corrupt_file") == 0);
  CHECK(strcmp(fathom_status_name(FATHOM_BUFFER_TOO_SMALL), "buffer_too_small") == 0);
  CHECK(strcmp(fathom_status_name(-1), "unknown") == 0);
  CHECK(strcmp(fathom_status_name(99), "unknown") == 0);
}

/* Option structs that have grown since the first header, which this program is also built with. */
#ifdef FATHOM_FIRST_HEADER
enum { kModelOptions = 24, kRuntimeOptions = 64, kModelInfo = 144 };
#else
enum { kModelOptions = 32, kRuntimeOptions = 80, kModelInfo = 152 };
#endif

/* A program built with this header must find its fields again in every later library: sizes never change, they only grow. */
static void struct_sizes(void) {
  if (sizeof(void*) != 8) return;
  CHECK(sizeof(fathom_allocator) == 32);
  CHECK(sizeof(fathom_task_system) == 24);
  CHECK(sizeof(fathom_file_system) == 64);
  CHECK(sizeof(fathom_log_sink) == 24);
  CHECK(sizeof(fathom_runtime_options) == kRuntimeOptions);
  CHECK(sizeof(fathom_runtime_info) == 32);
  CHECK(sizeof(fathom_model_options) == kModelOptions);
  CHECK(sizeof(fathom_model_info) == kModelInfo);
  CHECK(sizeof(fathom_memory_needs) == 56);
  CHECK(sizeof(fathom_chat_options) == 32);
  CHECK(sizeof(fathom_sampling_options) == 48);
  CHECK(sizeof(fathom_stop_options) == 40);
  CHECK(sizeof(fathom_session_options) == 48);
  CHECK(sizeof(fathom_step_options) == 24);
  CHECK(sizeof(fathom_step_result) == 40);
  CHECK(sizeof(fathom_batch_options) == 16);
  CHECK(sizeof(fathom_batch_result) == 48);
}

static void null_handles(const char* path) {
  fathom_model* model = NULL;
  fathom_session* session = NULL;
  fathom_model_info info = {.struct_size = sizeof info};
  const float* logits = NULL;
  size_t needed = 0;
  fathom_runtime_release(NULL);
  fathom_model_release(NULL);
  fathom_session_release(NULL);
  fathom_session_cancel(NULL);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(NULL, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_open(NULL, path, strlen(path), NULL, &model));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_get_info(NULL, &info));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode(NULL, "a", 1, 0, NULL, 0, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_decode(NULL, NULL, 0, 0, NULL, 0, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode_chat(NULL, NULL, 0, NULL, NULL, 0, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_create(NULL, NULL, &session));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_append(NULL, NULL, 0));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_step(NULL, NULL, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_read_text(NULL, NULL, 0, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_read_tokens(NULL, NULL, 0, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_logits(NULL, &logits, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_reset(NULL));
}

/* A program of the first header sees the bytes that its structs have gained since as unknown ones. */
#ifdef FATHOM_FIRST_HEADER
#define GROWN(bytes) (bytes)
#else
#define GROWN(bytes) 0
#endif

static void runtime_options(void) {
  struct {
    fathom_runtime_options known;
    char newer[64];
  } options = {.known = {.struct_size = sizeof options.known, .threads = 1}};
  fathom_runtime* runtime = NULL;
  for (uint32_t size = sizeof options.known; size <= sizeof options; ++size) {
    options.known.struct_size = size;
    CHECK_OK(fathom_runtime_create(&options.known, &runtime));
    fathom_runtime_release(runtime);
  }
  for (size_t at = GROWN(sizeof(char*) + sizeof(size_t)); at < sizeof options.newer; ++at) {
    options.newer[at] = 1;
    CHECK_FAILS(FATHOM_UNSUPPORTED, fathom_runtime_create(&options.known, &runtime));
    options.newer[at] = 0;
  }
  options.known.struct_size = 0;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.struct_size = 64 - 1; /* the first header's is 64 */
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.struct_size = UINT32_MAX;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.struct_size = sizeof options.known;
  options.known.reserved = 1;
  CHECK_FAILS(FATHOM_UNSUPPORTED, fathom_runtime_create(&options.known, &runtime));
  options.known.reserved = 0;
  options.known.invariant = 2;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.invariant = 1;
  options.known.threads = -1;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.threads = 1;
  options.known.isa_limit = "scalar and more";
  options.known.isa_limit_size = strlen(options.known.isa_limit);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.isa_limit_size = strlen("scalar");
#ifndef FATHOM_FIRST_HEADER
  options.known.streams = "Q4_K=sometimes";
  options.known.streams_size = strlen(options.known.streams);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.streams_size = strlen("Q4_K");
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_runtime_create(&options.known, &runtime));
  options.known.streams = "builtin";
  options.known.streams_size = strlen(options.known.streams);
#endif
  CHECK_OK(fathom_runtime_create(&options.known, &runtime));
  CHECK(strcmp(fathom_last_error(), "") == 0);
  fathom_runtime_release(runtime);
}

static int32_t count_progress(void* user, double done, const char* what) {
  int* calls = user;
  CHECK(done >= 0 && done <= 1 && what != NULL);
  ++*calls;
  return 0;
}

static int32_t stop_at_once(void* user, double done, const char* what) {
  (void)user, (void)done, (void)what;
  return 7;
}

static void model_open(const fathom_runtime* runtime, const char* path) {
  int calls = 0;
  fathom_model* model = NULL;
  fathom_model_options options = {
      .struct_size = sizeof options, .verify = 1, .progress = count_progress, .progress_user = &calls};
  CHECK_OK(fathom_model_open(runtime, path, strlen(path), &options, &model));
  CHECK(calls > 0);
  fathom_model_release(model);

#ifndef FATHOM_FIRST_HEADER
  options.read = 1;
  calls = 0;
  CHECK_OK(fathom_model_open(runtime, path, strlen(path), &options, &model));
  CHECK(calls > 0);
  fathom_model_release(model);
  fathom_memory_needs needs = {.struct_size = sizeof needs};
  CHECK_OK(fathom_model_memory_needs(runtime, path, strlen(path), &options, &needs));
  CHECK(needs.mapped_bytes == 0);
  CHECK(needs.weights_bytes > 0 && needs.peak_bytes == needs.weights_bytes);
  model = NULL;
  options.read = 2;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_open(runtime, path, strlen(path), &options, &model));
  CHECK(strstr(fathom_last_error(), "fathom_model_options.read") != NULL);
  options.read = 0;
#endif

  model = NULL;
  options.progress = stop_at_once;
  CHECK_FAILS(FATHOM_CANCELLED, fathom_model_open(runtime, path, strlen(path), &options, &model));
  CHECK_FAILS(FATHOM_NOT_FOUND, fathom_model_open(runtime, "/no/such/model", 14, NULL, &model));
  CHECK(strstr(fathom_last_error(), "/no/such/model") != NULL);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_open(runtime, NULL, 3, NULL, &model));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_open(runtime, "a\0b", 3, NULL, &model));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_open(runtime, path, strlen(path), NULL, NULL));
  CHECK(model == NULL);
}

static void model_info(const fathom_model* model) {
  struct {
    fathom_model_info known;
    char newer[64];
  } info;
  memset(&info, 0x55, sizeof info);
  info.known.struct_size = sizeof info;
  CHECK_OK(fathom_model_get_info(model, &info.known));
#ifndef FATHOM_FIRST_HEADER
  CHECK(strcmp(info.known.streams, "builtin") == 0); /* too small a model to time anything */
#endif
  CHECK(info.known.struct_size == sizeof info);
  CHECK(strcmp(info.known.family, "llama") == 0);
  CHECK(strcmp(info.known.container, "huggingface") == 0);
  CHECK(info.known.layers == 3 && info.known.hidden_size == 64 && info.known.vocab_size == 384);
  CHECK(info.known.context_length == 1024 && info.known.experts == 0 && info.known.has_tokenizer == 1);
  for (size_t at = GROWN(sizeof(char*)); at < sizeof info.newer; ++at) CHECK(info.newer[at] == 0);
  info.known.struct_size = 4;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_get_info(model, &info.known));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_get_info(model, NULL));
}

static void text_and_tokens(const fathom_model* model) {
  const char text[] = "wish <s>"; /* eight bytes, of which "<s>" is a token's text */
  int32_t tokens[16] = {0};
  char back[16];
  size_t needed = 0;
  CHECK_OK(fathom_encode(model, text, 8, 0, NULL, 0, &needed));
  CHECK(needed == 8);
  tokens[0] = -5;
  CHECK_FAILS(FATHOM_BUFFER_TOO_SMALL, fathom_encode(model, text, 8, 0, tokens, 7, &needed));
  CHECK(needed == 8 && tokens[0] == -5);
  CHECK_OK(fathom_encode(model, text, 8, 0, tokens, 8, &needed));
  CHECK(tokens[0] == 2 + 'w' && tokens[7] == 2 + '>');
  CHECK_OK(fathom_decode(model, tokens, 8, 0, back, sizeof back, &needed));
  CHECK(needed == 8 && memcmp(back, text, 8) == 0);

  CHECK_OK(fathom_encode(model, text, 8, FATHOM_ENCODE_PARSE_SPECIAL, tokens, 16, &needed));
  CHECK(needed == 6 && tokens[5] == 0);
  CHECK_OK(fathom_decode(model, tokens, 6, 0, back, sizeof back, &needed));
  CHECK(needed == 5);
  CHECK_OK(fathom_decode(model, tokens, 6, FATHOM_DECODE_KEEP_SPECIAL, back, sizeof back, &needed));
  CHECK(needed == 8 && memcmp(back, text, 8) == 0);
  CHECK_OK(fathom_encode(model, "a", 1, FATHOM_ENCODE_ADD_SPECIAL, tokens, 16, &needed));
  CHECK(needed == 2 && tokens[0] == 0 && tokens[1] == 2 + 'a');
  CHECK_OK(fathom_encode(model, NULL, 0, 0, tokens, 16, &needed));
  CHECK(needed == 0);

  CHECK_FAILS(FATHOM_UNSUPPORTED, fathom_encode(model, text, 8, 8u, tokens, 16, &needed));
  CHECK_FAILS(FATHOM_UNSUPPORTED, fathom_decode(model, tokens, 1, 2u, back, 16, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode(model, NULL, 8, 0, tokens, 16, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode(model, text, SIZE_MAX, 0, tokens, 16, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode(model, text, 8, 0, NULL, 16, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode(model, text, 8, 0, tokens, 16, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_decode(model, NULL, 1, 0, back, 16, &needed));
}

static void chat(const fathom_model* model) {
  const fathom_message messages[] = {{"user", 4, "<|im_end|>", 10}}; /* a control token's text, not the token */
  fathom_chat_options options = {.struct_size = sizeof options, .format = "no such format", .format_size = 14};
  int32_t tokens[64];
  size_t needed = 0;
  CHECK_OK(fathom_encode_chat(model, messages, 1, NULL, tokens, 64, &needed));
  CHECK(needed > 10 && tokens[needed - 1] == 2 + '\n');
  int starts = 0, ends = 0;
  for (size_t i = 0; i < needed; ++i) starts += tokens[i] == 258, ends += tokens[i] == 259;
  CHECK(starts >= 2 && ends == starts - 1);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode_chat(model, messages, 1, &options, tokens, 64, &needed));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_encode_chat(model, NULL, 1, NULL, tokens, 64, &needed));
}

static void session_generates(const fathom_model* model) {
  const int32_t prompt[] = {0, 2 + 'H', 2 + 'i'};
  fathom_session* session = create_session(model);
  fathom_step_options options = {.struct_size = sizeof options, .max_new_tokens = FATHOM_NO_NEW_TOKENS};
  fathom_step_result result = {.struct_size = sizeof result};
  int32_t tokens[64], again[64];
  char text[512];
  const float* logits = NULL;
  size_t count = 0, needed = 0;

  CHECK_FAILS(FATHOM_WRONG_STATE, fathom_session_step(session, NULL, &result));
  CHECK_FAILS(FATHOM_WRONG_STATE, fathom_session_logits(session, &logits, &count));
  CHECK_OK(fathom_session_append(session, prompt, 3));
  CHECK_OK(fathom_session_step(session, &options, &result));
  CHECK(result.prompt_tokens == 3 && result.new_tokens == 0 && result.queued_tokens == 0 && result.stop == FATHOM_STOP_NONE);
  CHECK_OK(fathom_session_logits(session, &logits, &count));
  CHECK(count == 384 && isfinite(logits[0]));

  options.max_new_tokens = 8;
  CHECK_OK(fathom_session_step(session, &options, &result));
  CHECK(result.new_tokens == 8 && result.prompt_tokens == 0);
  CHECK_OK(fathom_session_read_tokens(session, NULL, 0, &needed));
  CHECK(needed == 8);
  CHECK_FAILS(FATHOM_BUFFER_TOO_SMALL, fathom_session_read_tokens(session, tokens, 7, &needed));
  CHECK_OK(fathom_session_read_tokens(session, tokens, 64, &needed));
  CHECK(needed == 8);
  CHECK_OK(fathom_session_read_tokens(session, again, 64, &needed));
  CHECK(needed == 0);
  CHECK_OK(fathom_session_read_text(session, text, sizeof text, &needed));

  /* The same again after a reset; what was not read is gone. */
  CHECK_OK(fathom_session_step(session, &options, &result));
  CHECK_OK(fathom_session_reset(session));
  CHECK_OK(fathom_session_read_tokens(session, again, 64, &needed));
  CHECK(needed == 0);
  CHECK_OK(fathom_session_append(session, prompt, 3));
  CHECK_OK(fathom_session_step(session, &options, &result));
  CHECK_OK(fathom_session_read_tokens(session, again, 64, &needed));
  CHECK(needed == 8 && memcmp(tokens, again, 8 * sizeof tokens[0]) == 0);
  fathom_session_release(session);
}

static void session_stops(const fathom_model* model) {
  const int32_t prompt[] = {0, 2 + 'H', 2 + 'i'};
  fathom_session* session = create_session(model);
  fathom_step_options options = {.struct_size = sizeof options, .max_new_tokens = 1000};
  fathom_step_result result = {.struct_size = sizeof result};
  CHECK_OK(fathom_session_append(session, prompt, 3));
  fathom_session_cancel(session);
  CHECK_OK(fathom_session_step(session, &options, &result));
  CHECK(result.stop == FATHOM_STOP_CANCELLED && result.new_tokens == 0);
  CHECK_OK(fathom_session_step(session, &options, &result));
  CHECK(result.stop == FATHOM_STOP_CONTEXT_FULL && result.new_tokens > 0 && result.new_tokens <= 62);
  CHECK_FAILS(FATHOM_CONTEXT_FULL, fathom_session_append(session, prompt, 3));
  fathom_session_release(session);
}

static void session_misuse(const fathom_model* model) {
  const int32_t outside[] = {1, 384}, negative[] = {-1};
  int32_t many[65] = {0};
  fathom_session* session = create_session(model);
  fathom_step_options step = {.struct_size = sizeof step, .budget_us = -1};
  fathom_step_result result = {.struct_size = 3};
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_append(session, outside, 2));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_append(session, negative, 1));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_append(session, NULL, 1));
  CHECK_FAILS(FATHOM_CONTEXT_FULL, fathom_session_append(session, many, 65));
  CHECK_FAILS(FATHOM_WRONG_STATE, fathom_session_step(session, NULL, NULL));
  CHECK_OK(fathom_session_append(session, outside, 1));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_step(session, &step, NULL));
  step.budget_us = 0;
  step.max_new_tokens = -2;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_step(session, &step, NULL));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_step(session, NULL, &result));
  CHECK_OK(fathom_session_step(session, NULL, NULL));
  fathom_session_release(session);

  fathom_session_options options = {.struct_size = sizeof options, .context_length = -1};
  session = NULL;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_create(model, &options, &session));
  options.context_length = 16;
  options.cache = 5;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_create(model, &options, &session));
  options.cache = 4; /* FATHOM_CACHE_Q8_0, which the first header did not have; heads of 16 values */
  CHECK_FAILS(FATHOM_UNSUPPORTED, fathom_session_create(model, &options, &session));
  options.cache = FATHOM_CACHE_F32;
  options.chunk_rows = -1;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_create(model, &options, &session));
  options.chunk_rows = 0;
  fathom_stop_options stop = {.struct_size = sizeof stop, .string_count = 1};
  options.stop = &stop;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_create(model, &options, &session));
  options.stop = NULL;
  fathom_sampling_options sampling = {.struct_size = sizeof sampling, .temperature = NAN};
  options.sampling = &sampling;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_create(model, &options, &session));
  sampling.temperature = 1;
  sampling.top_p = 2;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_session_create(model, &options, &session));
  CHECK(session == NULL);
}

/* Children keep their parents alive. */
static void release_in_any_order(const char* path) {
  const int32_t prompt[] = {0, 3};
  fathom_runtime* runtime = create_runtime();
  fathom_model* model = open_model(runtime, path);
  fathom_runtime_release(runtime);
  fathom_session* session = create_session(model);
  fathom_model_release(model);
  CHECK_OK(fathom_session_append(session, prompt, 2));
  CHECK_OK(fathom_session_step(session, NULL, NULL));
  fathom_session_release(session);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  names_and_version();
  struct_sizes();
  null_handles(argv[1]);
  runtime_options();

  fathom_runtime* runtime = create_runtime();
  model_open(runtime, argv[1]);
  fathom_model* model = open_model(runtime, argv[1]);
  if (model != NULL) {
    model_info(model);
    text_and_tokens(model);
    chat(model);
    session_generates(model);
    session_stops(model);
    session_misuse(model);
    release_in_any_order(argv[1]);
  }
  fathom_model_release(model);
  fathom_runtime_release(runtime);
  return report_checks();
}
