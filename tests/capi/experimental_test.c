/* Editing logits and steering experts.
 *   experimental_test MODEL        a folder with a small mixture-of-experts model and a tokenizer (text_model.py) */
#include <fathom_experimental.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static fathom_session* create_session(const fathom_model* model) {
  const int32_t prompt[] = {0, 40, 41, 42};
  const fathom_stop_options stop = {.struct_size = sizeof stop, .ignore_stop_tokens = 1};
  const fathom_session_options options = {
      .struct_size = sizeof options, .context_length = 100, .stop = &stop, .trace_routes = 1};
  fathom_session* session = NULL;
  CHECK(fathom_session_create(model, &options, &session) == FATHOM_OK);
  CHECK(fathom_session_append(session, prompt, 4) == FATHOM_OK);
  return session;
}

/* Lets only one token through; fails while told to. */
struct Wish {
  int32_t token;
  int fails;
  int64_t last_position;
};
static int32_t only_one(void* user, int64_t position, float* logits, size_t count) {
  struct Wish* wish = user;
  wish->last_position = position;
  for (size_t i = 0; i < count; ++i) logits[i] = (int32_t)i == wish->token ? 0.0f : -INFINITY;
  return wish->fails;
}

static void logits_are_edited(const fathom_model* model) {
  struct Wish wish = {77, 0, 0};
  const fathom_step_options step = {.struct_size = sizeof step, .max_new_tokens = 3};
  fathom_session* session = create_session(model);
  int32_t tokens[8];
  size_t count = 0;
  CHECK(fathom_x_session_set_logits_hook(session, only_one, &wish) == FATHOM_OK);
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_OK);
  CHECK(fathom_session_read_tokens(session, tokens, 8, &count) == FATHOM_OK);
  CHECK(count == 3 && tokens[0] == 77 && tokens[2] == 77 && wish.last_position == 6);
  wish.fails = 1;
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_CALLBACK_FAILED);
  wish.fails = 0;
  wish.token = 78;
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_OK);
  CHECK(fathom_session_read_tokens(session, tokens, 8, &count) == FATHOM_OK);
  CHECK(count == 3 && tokens[0] == 78);
  CHECK(fathom_x_session_set_logits_hook(session, NULL, NULL) == FATHOM_OK);
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_OK);
  fathom_session_release(session);
}

/* Experts chosen in a layer since the last read, as bits. */
static unsigned chosen(fathom_session* session, int32_t layer, int32_t* some_layer) {
  static fathom_route routes[8192];
  size_t count = 0;
  unsigned bits = 0;
  CHECK(fathom_session_read_routes(session, routes, 8192, &count) == FATHOM_OK);
  for (size_t i = 0; i < count; ++i) {
    if (routes[i].layer == layer) bits |= 1u << routes[i].expert;
    if (some_layer != NULL) *some_layer = routes[i].layer;
  }
  return bits;
}

static void experts_are_steered(const fathom_model* model) {
  fathom_model_info info = {.struct_size = sizeof info};
  const fathom_step_options step = {.struct_size = sizeof step, .max_new_tokens = 20};
  fathom_session* session = create_session(model);
  int32_t layer = -1;
  uint8_t allowed[64] = {0};
  int32_t forced[16];
  CHECK(fathom_model_get_info(model, &info) == FATHOM_OK);
  CHECK(info.experts <= 32 && info.experts_per_token <= 16);
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_OK);
  chosen(session, 0, &layer);

  /* the first experts_per_token + 1 only, and not all of one group */
  unsigned mask = 0;
  for (int64_t i = 0; i <= info.experts_per_token; ++i) {
    const int64_t expert = i * (info.experts - 1) / info.experts_per_token;
    allowed[expert] = 1;
    mask |= 1u << expert;
  }
  CHECK(fathom_x_session_mask_experts(session, layer, allowed, (size_t)info.experts) == FATHOM_OK);
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_OK);
  chosen(session, layer, NULL); /* its first row was routed before */
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_OK);
  const unsigned masked = chosen(session, layer, NULL);
  CHECK(masked != 0 && (masked & ~mask) == 0);

  CHECK(fathom_x_session_mask_experts(session, layer, NULL, 0) == FATHOM_OK);
  unsigned wanted = 0;
  for (int64_t i = 0; i < info.experts_per_token; ++i) {
    forced[i] = (int32_t)(info.experts - 1 - i);
    wanted |= 1u << forced[i];
  }
  CHECK(fathom_x_session_force_experts(session, layer, forced, (size_t)info.experts_per_token) == FATHOM_OK);
  CHECK(fathom_session_step(session, &step, NULL) == FATHOM_OK);
  CHECK(chosen(session, layer, NULL) == wanted);

  CHECK(fathom_x_session_mask_experts(session, layer, allowed, 1) == FATHOM_INVALID_ARGUMENT);
  memset(allowed, 0, sizeof allowed);
  CHECK(fathom_x_session_mask_experts(session, layer, allowed, (size_t)info.experts) == FATHOM_INVALID_ARGUMENT);
  CHECK(fathom_x_session_mask_experts(session, -1, NULL, 0) == FATHOM_INVALID_ARGUMENT);
  CHECK(fathom_x_session_mask_experts(session, 0, NULL, 0) == FATHOM_INVALID_ARGUMENT); /* a dense layer */
  forced[0] = forced[1];
  CHECK(fathom_x_session_force_experts(session, layer, forced, (size_t)info.experts_per_token) == FATHOM_INVALID_ARGUMENT);
  forced[0] = 1000;
  CHECK(fathom_x_session_force_experts(session, layer, forced, (size_t)info.experts_per_token) == FATHOM_INVALID_ARGUMENT);
  CHECK(fathom_x_session_force_experts(NULL, layer, NULL, 0) == FATHOM_INVALID_ARGUMENT);
  fathom_session_release(session);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  CHECK(fathom_runtime_create(NULL, &runtime) == FATHOM_OK);
  CHECK(fathom_model_open(runtime, argv[1], strlen(argv[1]), NULL, &model) == FATHOM_OK);
  logits_are_edited(model);
  experts_are_steered(model);
  fathom_model_release(model);
  fathom_runtime_release(runtime);
  return report_checks();
}
