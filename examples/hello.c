/* The smallest program on the C interface: answers one question.
 *   hello_c MODEL [QUESTION]        MODEL: a Hugging Face folder or a .gguf file */
#include <fathom.h>
#include <stdio.h>
#include <string.h>

static int failed(const char* what) {
  fprintf(stderr, "hello_c: %s: %s\n", what, fathom_last_error());
  return 1;
}

static int answer(fathom_session* session, const int32_t* prompt, size_t prompt_size) {
  fathom_step_result result = {.struct_size = sizeof result};
  if (fathom_session_append(session, prompt, prompt_size)) return failed("append");
  for (int token = 0; token < 200 && result.stop == FATHOM_STOP_NONE; ++token) {
    char text[256];
    size_t size = 0;
    if (fathom_session_step(session, NULL, &result)) return failed("step");
    if (fathom_session_read_text(session, text, sizeof text, &size)) return failed("read");
    fwrite(text, 1, size, stdout);
    fflush(stdout);
  }
  putchar('\n');
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: hello_c MODEL [QUESTION]\n");
    return 2;
  }
  const char* question = argc > 2 ? argv[2] : "What is the capital of France?";
  const fathom_message message = {"user", 4, question, strlen(question)};
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  fathom_session* session = NULL;
  int32_t prompt[4096];
  size_t prompt_size = 0;
  int code = 0;

  if (fathom_runtime_create(NULL, &runtime)) code = failed("runtime");
  if (!code && fathom_model_open(runtime, argv[1], strlen(argv[1]), NULL, &model)) code = failed("model");
  if (!code && fathom_encode_chat(model, &message, 1, NULL, prompt, 4096, &prompt_size)) code = failed("question");
  if (!code && fathom_session_create(model, NULL, &session)) code = failed("session");
  if (!code) code = answer(session, prompt, prompt_size);

  fathom_session_release(session);
  fathom_model_release(model);
  fathom_runtime_release(runtime);
  return code;
}
