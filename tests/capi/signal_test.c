/* fathom_session_cancel from a signal handler: during a step, between steps, and while the library takes and gives back memory
 * or holds its locks.  signal_test MODEL        a folder with a small model and a tokenizer (text_model.py) */
#define _DEFAULT_SOURCE
#include <fathom.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "small_session.h"

static fathom_session* volatile watched;
static volatile sig_atomic_t signals;

static void cancel_watched(int signal) {
  (void)signal;
  ++signals;
  fathom_session_cancel(watched);
}

static void send_every(int microseconds) {
  const struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static int32_t raise_signal(void* user, const char* text, size_t text_size) {
  (void)user, (void)text, (void)text_size;
  raise(SIGALRM);
  return 0;
}

/* A handler that runs inside a generation ends it. */
static void ends_a_generation(const fathom_model* model) {
  fathom_session* session = create_session(model);
  fathom_step_result result = {.struct_size = sizeof result};
  watched = session;
  const int before = signals;
  CHECK_OK(fathom_session_generate(session, 100, raise_signal, NULL, &result));
  CHECK(signals == before + 1);
  CHECK(result.stop == FATHOM_STOP_CANCELLED);
  CHECK(result.new_tokens > 0 && result.new_tokens < 100);
  watched = NULL;
  fathom_session_release(session);
}

/* A signal after the answer does not end the next one. */
static void spoils_no_later_answer(const fathom_model* model) {
  const int32_t more[] = {50, 51};
  const fathom_step_options four = {.struct_size = sizeof four, .max_new_tokens = 4};
  fathom_step_result result = {.struct_size = sizeof result};
  fathom_session* session = create_session(model);
  watched = session;
  CHECK_OK(fathom_session_step(session, &four, &result));
  raise(SIGALRM);
  CHECK_OK(fathom_session_append(session, more, 2));
  CHECK_OK(fathom_session_step(session, &four, &result));
  CHECK(result.stop == FATHOM_STOP_NONE && result.new_tokens == 4);
  raise(SIGALRM);
  CHECK_OK(fathom_session_rewind(session, 6));
  CHECK_OK(fathom_session_step(session, &four, &result));
  CHECK(result.stop == FATHOM_STOP_NONE && result.new_tokens == 4);
  raise(SIGALRM);
  CHECK_OK(fathom_session_sync(session, kPrompt, 4, NULL));
  CHECK_OK(fathom_session_step(session, &four, &result));
  CHECK(result.stop == FATHOM_STOP_NONE && result.new_tokens == 4);
  watched = NULL;
  fathom_session_release(session);
}

/* Signals at any moment: a lock taken, or memory touched, by the handler would hang or crash some run of this. */
static void at_any_moment(const fathom_model* model) {
  const fathom_step_options step = {.struct_size = sizeof step, .max_new_tokens = 3};
  fathom_step_result result = {.struct_size = sizeof result};
  fathom_session *watched_session = create_session(model), *mate = create_session(model);
  const int before = signals;
  int cancelled = 0;
  watched = watched_session;
  send_every(200);
  for (int i = 0; signals < before + 300 && i < 1000000; ++i) {
    fathom_session *fork = NULL, *other = create_session(model);
    fathom_batch* batch = NULL;
    CHECK_OK(fathom_session_fork(watched_session, &fork));
    CHECK_OK(fathom_batch_create(model, NULL, &batch));
    CHECK_OK(fathom_batch_add(batch, watched_session));
    CHECK_OK(fathom_batch_add(batch, mate));
    CHECK_OK(fathom_batch_step(batch, &step, NULL));
    CHECK_OK(fathom_session_step(watched_session, &step, &result));
    cancelled += result.stop == FATHOM_STOP_CANCELLED;
    fathom_batch_release(batch);
    fathom_session_release(other);
    fathom_session_release(fork);
    CHECK_OK(fathom_session_rewind(watched_session, 4));
    CHECK_OK(fathom_session_rewind(mate, 4));
  }
  send_every(0);
  watched = NULL;
  CHECK(signals >= before + 300);
  CHECK(cancelled > 0);
  fathom_session_release(mate);
  fathom_session_release(watched_session);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  struct sigaction action = {.sa_handler = cancel_watched, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGALRM, &action, NULL);
  const fathom_runtime_options options = {.struct_size = sizeof options, .threads = 1};
  fathom_runtime* runtime = NULL;
  fathom_model* model = NULL;
  CHECK_OK(fathom_runtime_create(&options, &runtime));
  CHECK_OK(fathom_model_open(runtime, argv[1], strlen(argv[1]), NULL, &model));
  if (model == NULL) return report_checks();
  ends_a_generation(model);
  spoils_no_later_answer(model);
  at_any_moment(model);
  fathom_model_release(model);
  fathom_runtime_release(runtime);
  return report_checks();
}
