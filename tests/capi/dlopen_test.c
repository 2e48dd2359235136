/* Loads the library, uses it and unloads it a hundred times, as a host with plug-ins does: no memory, thread or file may stay.
 *   dlopen_test LIBRARY.so MODEL */
#include <dirent.h>
#include <dlfcn.h>
#include <fathom.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int count_entries(const char* folder) {
  int count = 0;
  DIR* directory = opendir(folder);
  while (readdir(directory) != NULL) ++count;
  closedir(directory);
  return count;
}

static long resident_kib(void) {
  malloc_trim(0); /* what the heap keeps for later is not what is measured either */
  long pages = 0, total = 0;
  FILE* statm = fopen("/proc/self/statm", "r");
  if (fscanf(statm, "%ld %ld", &total, &pages) != 2) pages = -1;
  fclose(statm);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The address of a function, without a cast that ISO C forbids. */
#define LOAD(library, name)                      \
  __typeof__(name)* p_##name = NULL;             \
  {                                              \
    void* address = dlsym(library, #name);       \
    memcpy(&p_##name, &address, sizeof address); \
    if (address == NULL) return "no " #name;     \
  }

static const char* use(const char* path, const char* model_path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return dlerror();
  LOAD(library, fathom_runtime_create)
  LOAD(library, fathom_runtime_release)
  LOAD(library, fathom_model_open)
  LOAD(library, fathom_model_release)
  LOAD(library, fathom_session_create)
  LOAD(library, fathom_session_release)
  LOAD(library, fathom_session_append)
  LOAD(library, fathom_session_step)
  const fathom_runtime_options options = {.struct_size = sizeof options, .threads = 3};
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  fathom_session* session = NULL;
  const fathom_step_options step = {.struct_size = sizeof step, .max_new_tokens = 3};
  const int32_t prompt[] = {0, 5, 7};
  if (p_fathom_runtime_create(&options, &runtime)) return "runtime";
  if (p_fathom_model_open(runtime, model_path, strlen(model_path), NULL, &model)) return "model";
  if (p_fathom_session_create(model, NULL, &session)) return "session";
  if (p_fathom_session_append(session, prompt, 3) || p_fathom_session_step(session, &step, NULL)) return "step";
  p_fathom_session_release(session);
  p_fathom_model_release(model);
  p_fathom_runtime_release(runtime);
  return dlclose(library) == 0 ? NULL : dlerror();
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  long settled = 0;
  mallopt(M_ARENA_MAX, 1); /* how many arenas threads happen to open is not what is measured */
  int files = 0;
  for (int round = 0; round < 100; ++round) {
    const char* what = use(argv[1], argv[2]);
    if (what != NULL) {
      printf("round %d: %s\n", round, what);
      return 1;
    }
    if (round == 19) {
      settled = resident_kib();
      files = count_entries("/proc/self/fd");
    }
  }
  const long grown = resident_kib() - settled;
  const int threads = count_entries("/proc/self/task") - 2; /* . and .. */
  printf("80 rounds: grown by %ld KiB, %d thread, %d files more\n", grown, threads, count_entries("/proc/self/fd") - files);
  return grown < 512 && threads == 1 && count_entries("/proc/self/fd") == files ? 0 : 1;
}
