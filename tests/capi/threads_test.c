/* Many threads on one library: sessions of one model at work, cancelled from another thread; log hooks called from several
 * threads at once; handles released in any order, on any thread, also while they are in use. Under the thread sanitizer in
 * .ci/run. threads_test MODEL        a folder with a small mixture-of-experts model and a tokenizer (text_model.py) */
#include <fathom.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "small_session.h"

enum { kThreads = 4 };

/* What a host sees: every block comes back, every line is whole. */
struct Host {
  atomic_int blocks, lines, broken_lines;
};
static void* allocate(void* user, size_t bytes, size_t alignment, int32_t purpose) {
  void* memory = NULL;
  (void)purpose;
  if (posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, bytes ? bytes : 1) != 0) return NULL;
  atomic_fetch_add(&((struct Host*)user)->blocks, 1);
  return memory;
}
static void release(void* user, void* memory, size_t bytes, size_t alignment, int32_t purpose) {
  (void)bytes, (void)alignment, (void)purpose;
  atomic_fetch_sub(&((struct Host*)user)->blocks, 1);
  free(memory);
}
static void write_line(void* user, int32_t level, const char* message, size_t size) {
  struct Host* host = user;
  const int whole = level >= FATHOM_LOG_DEBUG && level <= FATHOM_LOG_ERROR && size > 7 && memcmp(message, "opened ", 7) == 0;
  atomic_fetch_add(whole ? &host->lines : &host->broken_lines, 1);
}

static fathom_runtime* create_runtime(struct Host* host) {
  const fathom_allocator allocator = {sizeof allocator, 0, host, allocate, release};
  const fathom_log_sink log = {sizeof log, 0, host, write_line};
  const fathom_runtime_options options = {.struct_size = sizeof options, .threads = 2, .allocator = &allocator, .log = &log};
  fathom_runtime* runtime = NULL;
  CHECK_OK(fathom_runtime_create(&options, &runtime));
  return runtime;
}

/* ---- Sessions of one model at work, cancelled from another thread */

static void* work(void* user) {
  fathom_session* session = user;
  fathom_step_result result = {.struct_size = sizeof result};
  const fathom_step_options step = {.struct_size = sizeof step, .max_new_tokens = 4};
  for (int i = 0; i < 30; ++i) {
    if (fathom_session_step(session, &step, &result)) return (void*)1;
  }
  return NULL;
}
static void* cancel_often(void* user) {
  fathom_session** sessions = user;
  for (int i = 0; i < 2000; ++i) fathom_session_cancel(sessions[i % kThreads]);
  return NULL;
}
static void sessions_on_many_threads(const fathom_model* model) {
  pthread_t threads[kThreads], canceller;
  fathom_session* sessions[kThreads];
  for (int i = 0; i < kThreads; ++i) sessions[i] = create_session(model);
  for (int i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, work, sessions[i]);
  pthread_create(&canceller, NULL, cancel_often, sessions);
  for (int i = 0; i < kThreads; ++i) {
    void* failed = NULL;
    pthread_join(threads[i], &failed);
    CHECK(failed == NULL);
  }
  pthread_join(canceller, NULL);
  for (int i = kThreads - 1; i >= 0; --i) fathom_session_release(sessions[i]);
}

/* ---- Models opened on many threads, each of which logs, until the runtime is taken from under them */

struct Opening {
  const fathom_runtime* runtime;
  const char* path;
  atomic_int* opened;
  int strange;
};
static void* open_until_released(void* user) {
  struct Opening* o = user;
  for (;;) {
    fathom_model* model = NULL;
    const int32_t status = fathom_model_open(o->runtime, o->path, strlen(o->path), NULL, &model);
    if (status != FATHOM_OK) {
      o->strange += status != FATHOM_INVALID_ARGUMENT || model != NULL || strstr(fathom_last_error(), "released") == NULL;
      return NULL;
    }
    atomic_fetch_add(o->opened, 1);
    fathom_session* session = create_session(model);
    fathom_model_release(model);
    o->strange += fathom_session_step(session, NULL, NULL) != FATHOM_OK;
    fathom_session_release(session);
  }
}
static void logs_from_many_threads(const char* path) {
  struct Host host = {0};
  atomic_int opened = 0;
  pthread_t threads[kThreads];
  struct Opening openings[kThreads];
  fathom_runtime* runtime = create_runtime(&host);
  fathom_model* keeper = NULL; /* a released handle is known as one while anything of its runtime is alive */
  CHECK_OK(fathom_model_open(runtime, path, strlen(path), NULL, &keeper));
  for (int i = 0; i < kThreads; ++i) {
    openings[i] = (struct Opening){runtime, path, &opened, 0};
    pthread_create(&threads[i], NULL, open_until_released, &openings[i]);
  }
  while (atomic_load(&opened) < 3 * kThreads) fathom_model_get_info(keeper, NULL); /* refused, but no wait either */
  fathom_runtime_release(runtime);
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    CHECK(openings[i].strange == 0);
  }
  CHECK(atomic_load(&host.lines) == atomic_load(&opened) + 1);
  CHECK(atomic_load(&host.broken_lines) == 0);
  fathom_model_release(keeper);
  CHECK(atomic_load(&host.blocks) == 0);
}

/* ---- Everything that was made, released in any order by several threads at once */

enum { kRuntime, kModel, kSession, kBatch };
struct Piece {
  int kind;
  void* handle;
};
struct Share {
  const struct Piece* pieces;
  int count, first;
};
static void give_back(struct Piece piece) {
  switch (piece.kind) {
    case kRuntime:
      fathom_runtime_release(piece.handle);
      break;
    case kModel:
      fathom_model_release(piece.handle);
      break;
    case kSession:
      fathom_session_release(piece.handle);
      break;
    default:
      fathom_batch_release(piece.handle);
      break;
  }
}
static void* give_back_share(void* user) {
  const struct Share* share = user;
  for (int i = share->first; i < share->count; i += kThreads) give_back(share->pieces[i]);
  return NULL;
}
static void shuffle(struct Piece* pieces, int count, uint32_t* state) {
  for (int i = count - 1; i > 0; --i) {
    *state = *state * 1664525u + 1013904223u;
    const int other = (int)((*state >> 8) % (uint32_t)(i + 1));
    const struct Piece held = pieces[i];
    pieces[i] = pieces[other];
    pieces[other] = held;
  }
}
static void releases_in_any_order(const char* path) {
  uint32_t state = 7;
  for (int round = 0; round < 24; ++round) {
    struct Host host = {0};
    struct Piece pieces[12];
    int count = 0;
    fathom_runtime* runtime = create_runtime(&host);
    fathom_model* model = NULL;
    fathom_batch* batch = NULL;
    CHECK_OK(fathom_model_open(runtime, path, strlen(path), NULL, &model));
    CHECK_OK(fathom_batch_create(model, NULL, &batch));
    for (int i = 0; i < 4; ++i) {
      fathom_session *session = create_session(model), *fork = NULL;
      if (i < 3) CHECK_OK(fathom_batch_add(batch, session));
      CHECK_OK(fathom_session_step(session, NULL, NULL));
      CHECK_OK(fathom_session_fork(session, &fork));
      pieces[count++] = (struct Piece){kSession, session};
      pieces[count++] = (struct Piece){kSession, fork};
    }
    CHECK_OK(fathom_batch_step(batch, NULL, NULL));
    pieces[count++] = (struct Piece){kBatch, batch};
    pieces[count++] = (struct Piece){kModel, model};
    pieces[count++] = (struct Piece){kRuntime, runtime};
    shuffle(pieces, count, &state);
    pthread_t threads[kThreads];
    struct Share shares[kThreads];
    for (int i = 0; i < kThreads; ++i) {
      shares[i] = (struct Share){pieces, count, i};
      pthread_create(&threads[i], NULL, give_back_share, &shares[i]);
    }
    for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
    CHECK(atomic_load(&host.blocks) == 0);
    CHECK(atomic_load(&host.lines) == 1);
  }
}

/* ---- Released on one thread while another works with them */

struct Stepping {
  fathom_session* session;
  fathom_batch* batch;
  atomic_int* steps;
  int strange;
};
static void* step_until_released(void* user) {
  struct Stepping* s = user;
  const fathom_step_options slice = {.struct_size = sizeof slice, .budget_us = 200};
  for (;;) {
    const int32_t status =
        s->batch != NULL ? fathom_batch_step(s->batch, &slice, NULL) : fathom_session_step(s->session, &slice, NULL);
    if (status != FATHOM_OK) {
      s->strange += status != FATHOM_INVALID_ARGUMENT || strstr(fathom_last_error(), "released") == NULL;
      return NULL;
    }
    atomic_fetch_add(s->steps, 1);
  }
}
static void releases_while_in_use(const fathom_model* model) {
  for (int round = 0; round < 10; ++round) {
    atomic_int steps = 0;
    fathom_session *alone = create_session(model), *members[3];
    fathom_batch* batch = NULL;
    CHECK_OK(fathom_batch_create(model, NULL, &batch));
    for (int i = 0; i < 3; ++i) CHECK_OK(fathom_batch_add(batch, members[i] = create_session(model)));
    struct Stepping stepping[2] = {{alone, NULL, &steps, 0}, {NULL, batch, &steps, 0}};
    pthread_t threads[2];
    for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, step_until_released, &stepping[i]);
    for (int i = 0; i < 3; ++i) {
      const int before = atomic_load(&steps);
      while (atomic_load(&steps) < before + 2) fathom_session_cancel(alone);
      fathom_session_release(members[(i + round) % 3]);
    }
    fathom_session_release(alone);
    fathom_batch_release(batch);
    for (int i = 0; i < 2; ++i) {
      pthread_join(threads[i], NULL);
      CHECK(stepping[i].strange == 0);
    }
  }
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  struct Host host = {0};
  fathom_runtime* runtime = create_runtime(&host);
  fathom_model* model = NULL;
  CHECK_OK(fathom_model_open(runtime, argv[1], strlen(argv[1]), NULL, &model));
  if (model == NULL) return 1;
  sessions_on_many_threads(model);
  releases_while_in_use(model);
  fathom_runtime_release(runtime);
  fathom_model_release(model);
  CHECK(atomic_load(&host.blocks) == 0);
  logs_from_many_threads(argv[1]);
  releases_in_any_order(argv[1]);
  return report_checks();
}
