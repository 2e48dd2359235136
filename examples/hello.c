/* Asks a model one question and prints its answer.
 *   hello_c [MODEL [QUESTION]]        MODEL: a .gguf file or a Hugging Face folder */
#include <fathom.h>
#include <stdio.h>
#include <string.h>

static int32_t print(void* user, const char* text, size_t size) {
  (void)user;
  return fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "model.gguf";
  const char* question = argc > 2 ? argv[2] : "Tell me a story in one sentence.";
  const fathom_message message = {"user", 4, question, strlen(question)};
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  fathom_session* session = NULL;
  int32_t prompt[4096];
  size_t size = 0;

  int32_t status = fathom_runtime_create(NULL, &runtime);
  if (!status) status = fathom_model_open(runtime, path, strlen(path), NULL, &model);
  if (!status) status = fathom_encode_chat(model, &message, 1, NULL, prompt, 4096, &size);
  if (!status) status = fathom_session_create(model, NULL, &session);
  if (!status) status = fathom_session_append(session, prompt, size);
  if (!status) status = fathom_session_generate(session, 200, print, NULL, NULL);
  if (status) fprintf(stderr, "hello_c: %s\n", fathom_last_error());

  fathom_session_release(session);
  fathom_model_release(model);
  fathom_runtime_release(runtime);
  if (!status) putchar('\n');
  return status == FATHOM_OK ? 0 : argc > 1 ? 1 : 2;
}
