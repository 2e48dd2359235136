/* The sampling that a checkpoint recommends, as the C interface has it.
 *   recommended_sampling_test MODEL        a folder with a small model; the test writes its generation_config.json */
#include <fathom.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static int warnings = 0;

static void count_warnings(void* user, int32_t level, const char* message, size_t message_size) {
  (void)user;
  const char* document = "generation_config.json: ";
  const size_t length = strlen(document);
  if (level == FATHOM_LOG_WARNING && message_size > length && memcmp(message, document, length) == 0) ++warnings;
}

/* The recommendation of the folder with this generation_config.json. */
static fathom_sampling_options recommended_by(const char* folder, const char* json) {
  const fathom_log_sink log = {.struct_size = sizeof log, .write = count_warnings};
  const fathom_runtime_options options = {.struct_size = sizeof options, .threads = 1, .log = &log};
  const fathom_model_options lazy = {.struct_size = sizeof lazy, .lazy = 1};
  fathom_sampling_options sampling = {.struct_size = sizeof sampling};
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  char path[4096];
  snprintf(path, sizeof path, "%s/generation_config.json", folder);
  FILE* file = fopen(path, "w");
  CHECK(file != NULL && fputs(json, file) >= 0 && fclose(file) == 0);
  warnings = 0;
  CHECK_OK(fathom_runtime_create(&options, &runtime));
  CHECK_OK(fathom_model_open(runtime, folder, strlen(folder), &lazy, &model));
  CHECK_OK(fathom_model_recommended_sampling(model, &sampling));
  CHECK(sampling.struct_size == sizeof sampling && sampling.reserved == 0 && sampling.seed == 0);
  /* What is recommended is accepted. */
  fathom_session_options wanted = {.struct_size = sizeof wanted, .context_length = 8, .sampling = &sampling};
  fathom_session* session = NULL;
  CHECK_OK(fathom_session_create(model, &wanted, &session));
  fathom_session_release(session);
  fathom_model_release(model);
  fathom_runtime_release(runtime);
  return sampling;
}

static void misuse(const char* folder) {
  fathom_sampling_options sampling = {.struct_size = sizeof sampling};
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  CHECK_OK(fathom_runtime_create(NULL, &runtime));
  CHECK_OK(fathom_model_open(runtime, folder, strlen(folder), NULL, &model));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_recommended_sampling(NULL, &sampling));
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_recommended_sampling(model, NULL));
  sampling.struct_size = 4;
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_recommended_sampling(model, &sampling));
  fathom_model_release(model);
  CHECK_FAILS(FATHOM_INVALID_ARGUMENT, fathom_model_recommended_sampling(model, &sampling));
  fathom_runtime_release(runtime);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const char* folder = argv[1];
  fathom_sampling_options told = recommended_by(folder, "{}");
  CHECK(told.temperature == 0 && told.top_k == 0 && told.top_p == 1 && told.min_p == 0 && told.repetition_penalty == 1);
  CHECK(warnings == 0);

  told = recommended_by(folder,
                        "{\"do_sample\": true, \"temperature\": 0.5, \"top_k\": 20, \"top_p\": 0.75, \"min_p\": 0.125, "
                        "\"repetition_penalty\": 1.25}");
  CHECK(told.temperature == 0.5f && told.top_k == 20 && told.top_p == 0.75f && told.min_p == 0.125f);
  CHECK(told.repetition_penalty == 1.25f && told.penalty_window > 1 << 20);
  CHECK(warnings == 0);

  told =
      recommended_by(folder, "{\"do_sample\": true, \"temperature\": NaN, \"top_k\": 2.5, \"top_p\": 1.5, \"min_p\": \"0.1\"}");
  CHECK(told.temperature == 1 && told.top_k == 0 && told.top_p == 1 && told.min_p == 0);
  CHECK(warnings == 4);

  misuse(folder);
  return report_checks();
}
