/* Links, runs, and gets a sentence for a model that is not there. */
#include <fathom.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  if (fathom_runtime_create(NULL, &runtime)) return 1;
  const int32_t status = fathom_model_open(runtime, "/no/model", 9, NULL, &model);
  printf("fathom %s: %s\n", fathom_version(), fathom_last_error());
  fathom_runtime_release(runtime);
  return status == FATHOM_NOT_FOUND && strstr(fathom_last_error(), "/no/model") != NULL ? 0 : 1;
}
