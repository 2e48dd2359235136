// Everything that can fail on the host's side does fail, once at each place where it is asked for: each allocation, read, map,
// run of tasks, progress report and write, and the C++ heap. Every run must end in statuses with sentences, give everything
// back, print nothing, and leave the library able to do the whole round again. What a session wrote before and after a failure
// is what it would have written without.
//   sweep_test MODEL        a folder with a small model and a tokenizer (text_model.py)
#include <fathom.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/operator_new.hpp"

namespace {

enum Point { kAllocate, kOpen, kSize, kRead, kMap, kTasks, kProgress, kLog, kWrite, kRestore, kSink, kPoints };
const char* const kNames[] = {"allocate", "open", "size",  "read_at",      "map",      "tasks",
                              "progress", "log",  "write", "restore read", "text sink"};
enum class Manner { refuse, raise };

int failures = 0;
std::string report;

void check(bool condition, const std::string& sentence) {
  if (condition) return;
  ++failures;
  if (failures < 20) report += sentence + "\n";
}

// The host. Call number `fails_at` of `point` fails, and no other.
struct Host {
  const std::map<std::string, std::string>* files = nullptr;
  bool mappable = true;
  Point point = kPoints;
  Manner manner = Manner::refuse;
  int fails_at = -1;

  int calls[kPoints] = {};
  int failed = 0;
  std::vector<int32_t> timeline;  // of the session at the end of the round
  std::atomic<int> live_blocks{0}, live_files{0}, live_maps{0};

  bool hits(Point here) {
    const bool now = here == point && calls[here] == fails_at;
    ++calls[here];
    if (!now) return false;
    ++failed;
    if (manner == Manner::raise) throw std::runtime_error("the host threw");
    return true;
  }
};

Host& host_of(void* user) { return *static_cast<Host*>(user); }

void* allocate(void* user, size_t bytes, size_t alignment, int32_t) {
  if (host_of(user).hits(kAllocate)) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, bytes ? bytes : 1) != 0) return nullptr;
  ++host_of(user).live_blocks;
  return memory;
}
void release(void* user, void* memory, size_t, size_t, int32_t) {
  --host_of(user).live_blocks;
  free(memory);
}

int32_t open_file(void* user, const char* path, size_t path_size, void** file) {
  Host& host = host_of(user);
  if (host.hits(kOpen)) return FATHOM_IO_ERROR;
  const auto found = host.files->find(std::string(path, path_size));
  if (found == host.files->end()) return FATHOM_NOT_FOUND;
  *file = const_cast<std::string*>(&found->second);
  ++host.live_files;
  return 0;
}
int32_t file_size(void* user, void* file, uint64_t* bytes) {
  if (host_of(user).hits(kSize)) return 77;
  *bytes = static_cast<std::string*>(file)->size();
  return 0;
}
int32_t read_file(void* user, void* file, uint64_t offset, void* buffer, size_t bytes) {
  if (host_of(user).hits(kRead)) return FATHOM_IO_ERROR;
  memcpy(buffer, static_cast<std::string*>(file)->data() + offset, bytes);
  return 0;
}
int32_t map_file(void* user, void* file, const void** data) {
  if (!host_of(user).mappable) return FATHOM_UNSUPPORTED;
  if (host_of(user).hits(kMap)) return FATHOM_IO_ERROR;
  *data = static_cast<std::string*>(file)->data();
  ++host_of(user).live_maps;
  return 0;
}
void unmap_file(void* user, void*, const void*) { --host_of(user).live_maps; }
void close_file(void* user, void*) { --host_of(user).live_files; }

// Fails after half of the tasks.
int32_t run_tasks(void* user, int32_t count, void (*task)(void*, int32_t), void* context) {
  Host& host = host_of(user);
  const bool fails = host.point == kTasks && host.calls[kTasks] == host.fails_at;
  for (int32_t i = 0; i < (fails ? count / 2 : count); ++i) task(context, i);
  return host.hits(kTasks) ? 1 : 0;
}
void log_line(void* user, int32_t, const char*, size_t) { host_of(user).hits(kLog); }
int32_t progress(void* user, double, const char*) { return host_of(user).hits(kProgress) ? 1 : 0; }
int32_t take_text(void* user, const char*, size_t) { return host_of(user).hits(kSink) ? 1 : 0; }

struct Saved {
  Host* host;
  std::string bytes;
  size_t at = 0;
};
int32_t write_state(void* user, const void* data, size_t bytes) {
  auto& saved = *static_cast<Saved*>(user);
  if (saved.host->hits(kWrite)) return 5;
  saved.bytes.append(static_cast<const char*>(data), bytes);
  return 0;
}
int32_t read_state(void* user, void* data, size_t bytes) {
  auto& saved = *static_cast<Saved*>(user);
  if (saved.host->hits(kRestore) || bytes > saved.bytes.size() - saved.at) return 5;
  memcpy(data, saved.bytes.data() + saved.at, bytes);
  saved.at += bytes;
  return 0;
}

template <typename Handle, void (*kRelease)(Handle*)>
struct Owned {
  ~Owned() { kRelease(handle); }
  Handle* handle = nullptr;
};

// Load, chat, fork, batch, save, restore. Goes as far as it can; counts the calls that failed.
int go_round(Host& host) {
  int bad = 0;
  const auto ok = [&](int32_t status) {
    if (status == FATHOM_OK) return true;
    ++bad;
    check(status != FATHOM_INTERNAL, std::string("internal: ") + fathom_last_error());
    check(fathom_last_error()[0] != '\0', std::string("no sentence for ") + fathom_status_name(status));
    return false;
  };
  const fathom_allocator allocator = {sizeof allocator, 0, &host, allocate, release};
  const fathom_task_system tasks = {sizeof tasks, 3, &host, run_tasks};
  const fathom_file_system files = {sizeof files, 0, &host, open_file, file_size, read_file, map_file, unmap_file, close_file};
  const fathom_log_sink log = {sizeof log, 0, &host, log_line};
  fathom_runtime_options options = {};
  options.struct_size = sizeof options;
  options.allocator = &allocator;
  options.tasks = &tasks;
  options.files = &files;
  options.log = &log;
  options.invariant = 1;
  Owned<fathom_runtime, fathom_runtime_release> runtime;
  if (!ok(fathom_runtime_create(&options, &runtime.handle))) return bad;

  fathom_memory_needs needs = {};
  needs.struct_size = sizeof needs;
  ok(fathom_model_memory_needs(runtime.handle, "model", 5, nullptr, &needs));
  fathom_model_options loading = {};
  loading.struct_size = sizeof loading;
  loading.verify = 1;
  loading.progress = progress;
  loading.progress_user = &host;
  Owned<fathom_model, fathom_model_release> model;
  if (!ok(fathom_model_open(runtime.handle, "model", 5, &loading, &model.handle))) return bad;

  Owned<fathom_model, fathom_model_release> in_memory;
  std::vector<fathom_memory_file> given;
  for (const auto& [path, content] : *host.files) {
    const char* name = path.c_str() + sizeof "model/" - 1;
    given.push_back({name, strlen(name), content.data(), content.size()});
  }
  if (!ok(fathom_model_open_memory(runtime.handle, given.data(), given.size(), nullptr, &in_memory.handle))) {
    check(in_memory.handle == nullptr, "a model that was not opened has a handle");
  }
  uint8_t fingerprint[FATHOM_FINGERPRINT_SIZE];
  ok(fathom_model_fingerprint(model.handle, fingerprint));
  fathom_sampling_options recommended = {};
  recommended.struct_size = sizeof recommended;
  ok(fathom_model_recommended_sampling(model.handle, &recommended));

  const fathom_message messages[] = {{"system", 6, "Be brief.", 9}, {"user", 4, "Hello <|im_end|> there", 22}};
  int32_t prompt[160];
  char said[256];
  size_t prompt_size = 0, said_size = 0;
  if (!ok(fathom_encode_chat(model.handle, messages, 2, nullptr, prompt, 160, &prompt_size))) return bad;
  ok(fathom_decode(model.handle, prompt, prompt_size, FATHOM_DECODE_KEEP_SPECIAL, said, sizeof said, &said_size));
  const fathom_string ending = {"\n\n\n", 3};
  fathom_stop_options stop = {};
  stop.struct_size = sizeof stop;
  stop.ignore_stop_tokens = 1;
  stop.strings = &ending;
  stop.string_count = 1;
  fathom_session_options wanted = {};
  wanted.struct_size = sizeof wanted;
  wanted.context_length = 200;
  wanted.top_logprobs = 2;
  wanted.trace_routes = 1;
  wanted.count_routes = 1;
  wanted.stop = &stop;
  ok(fathom_session_memory_needs(model.handle, &wanted, &needs));
  Owned<fathom_session, fathom_session_release> session, fork, other;
  if (!ok(fathom_session_create(model.handle, &wanted, &session.handle))) return bad;
  if (!ok(fathom_session_append(session.handle, prompt, prompt_size))) return bad;
  fathom_step_options step = {};
  step.struct_size = sizeof step;
  step.max_new_tokens = 2;
  ok(fathom_session_step(session.handle, &step, nullptr));
  ok(fathom_session_generate(session.handle, 2, take_text, &host, nullptr));
  ok(fathom_session_set_sampling(session.handle, nullptr));
  ok(fathom_session_set_stop(session.handle, &stop));

  if (ok(fathom_session_fork(session.handle, &fork.handle))) ok(fathom_session_step(fork.handle, &step, nullptr));
  {
    Owned<fathom_batch, fathom_batch_release> batch;
    if (ok(fathom_session_create(model.handle, &wanted, &other.handle)) &&
        ok(fathom_batch_create(model.handle, nullptr, &batch.handle)) && ok(fathom_batch_add(batch.handle, session.handle)) &&
        ok(fathom_batch_add(batch.handle, other.handle))) {
      ok(fathom_session_append(other.handle, prompt, prompt_size));
      for (int i = 0; i < 3; ++i) ok(fathom_batch_step(batch.handle, nullptr, nullptr));
      if (!ok(fathom_batch_get_result(batch.handle, other.handle, nullptr)))
        check(fathom_last_error()[0] != '\0', "a member failed mutely");
    }
  }
  Saved saved = {&host, {}, 0};
  uint64_t saved_bytes = 0;
  if (other.handle && ok(fathom_session_saved_bytes(session.handle, &saved_bytes)) &&
      ok(fathom_session_save(session.handle, write_state, &saved))) {
    check(saved.bytes.size() == saved_bytes, "a saved state has another size than was told");
    ok(fathom_session_restore(other.handle, read_state, &saved));
    ok(fathom_session_rewind(other.handle, prompt_size / 2));
    ok(fathom_session_step(other.handle, &step, nullptr));
    ok(fathom_session_sync(other.handle, prompt, prompt_size, nullptr));
    ok(fathom_session_step(other.handle, &step, nullptr));
  }
  char text[512];
  fathom_route routes[4096];
  fathom_logprob logprobs[512];
  size_t needed = 0;
  ok(fathom_session_read_text(session.handle, text, sizeof text, &needed));
  ok(fathom_session_read_routes(session.handle, routes, 4096, &needed));
  ok(fathom_session_read_logprobs(session.handle, logprobs, 512, &needed));
  uint64_t counts[64];
  ok(fathom_session_route_totals(session.handle, 1, counts, nullptr, 64, &needed));
  int32_t timeline[200];
  if (ok(fathom_session_tokens(session.handle, timeline, 200, &needed))) host.timeline.assign(timeline, timeline + needed);
  ok(fathom_session_reset(session.handle));
  return bad;
}

void check_given_back(const Host& host, const std::string& where) {
  check(host.live_blocks == 0, where + ": " + std::to_string(host.live_blocks) + " blocks were not given back");
  check(host.live_files == 0, where + ": " + std::to_string(host.live_files) + " files were not closed");
  check(host.live_maps == 0, where + ": " + std::to_string(host.live_maps) + " files were not unmapped");
}

// The timeline of a round in which nothing fails.
std::vector<int32_t> undisturbed;

// A failure may end a step early; what there is by then is the beginning of the same text.
void check_timeline(const Host& host, const std::string& where) {
  const size_t size = host.timeline.size();
  check(size <= undisturbed.size() && std::equal(host.timeline.begin(), host.timeline.end(), undisturbed.begin()),
        where + ": a session went on with other tokens");
}

// Fails call 0, 1, 2, ... of one point until a round has fewer calls than that.
int sweep(const std::map<std::string, std::string>& files, Point point, Manner manner) {
  int rounds = 0;
  for (int n = 0;; ++n, ++rounds) {
    Host host;
    host.files = &files;
    host.mappable = point != kRead;
    host.point = point;
    host.manner = manner;
    host.fails_at = n;
    const int bad = go_round(host);
    const std::string where =
        std::string(kNames[point]) + (manner == Manner::raise ? " throwing" : "") + ", call " + std::to_string(n);
    check_given_back(host, where);
    check_timeline(host, where);
    if (host.failed == 0) {
      check(bad == 0, where + ": failed although nothing was wrong: " + fathom_last_error());
      return rounds;
    }
    // a lost log line and a sink that wants no more are no failures
    const bool harmless = point == kLog || (point == kSink && manner == Manner::refuse);
    check(harmless || bad > 0, where + ": went unnoticed");
    check(!harmless || bad == 0, where + ": failed: " + fathom_last_error());
  }
}

// The C++ heap likewise, in strides so that it ends.
int sweep_heap(const std::map<std::string, std::string>& files, int stride) {
  int rounds = 0;
  for (int n = 0;; n += n < 300 ? 1 : stride, ++rounds) {
    Host host;
    host.files = &files;
    bool refused = false;
    int bad = 0;
    {
      fathom::test::FailingNew failing(n);
      try {
        bad = go_round(host);
      } catch (const std::bad_alloc&) {  // in this test's own code
        refused = true;
      }
    }
    check_given_back(host, "heap, allocation " + std::to_string(n));
    check_timeline(host, "heap, allocation " + std::to_string(n));
    if (bad == 0 && !refused) return rounds;
  }
}

// What was written to stdout and stderr since the swap.
class Silence {
 public:
  Silence() {
    fflush(nullptr);
    out_ = dup(1), err_ = dup(2);
    file_ = fileno(tmpfile());
    dup2(file_, 1), dup2(file_, 2);
  }
  long end() {
    fflush(nullptr);
    struct stat state = {};
    fstat(file_, &state);
    dup2(out_, 1), dup2(err_, 2);
    return long(state.st_size);
  }

 private:
  int out_, err_, file_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream in(entry.path(), std::ios::binary);
    files["model/" + entry.path().filename().string()] = {std::istreambuf_iterator<char>(in), {}};
  }
  Silence silence;
  {
    Host host;
    host.files = &files;
    check(go_round(host) == 0, std::string("a round in which nothing fails: ") + fathom_last_error());
    undisturbed = host.timeline;
    check(undisturbed.size() > 40, "a round writes too little to compare");
  }
  std::string counts;
  for (int point = 0; point < kPoints; ++point) {
    for (const Manner manner : {Manner::refuse, Manner::raise}) {
      const int rounds = sweep(files, Point(point), manner);
      check(rounds > 0, std::string(kNames[point]) + " was never called");
      if (manner == Manner::refuse) counts += std::string(kNames[point]) + " " + std::to_string(rounds) + ", ";
    }
  }
  counts += "heap " + std::to_string(sweep_heap(files, 37));
  const long printed = silence.end();
  check(printed == 0, "the library printed " + std::to_string(printed) + " bytes");
  printf("places that failed: %s\n%s%s\n", counts.c_str(), report.c_str(), failures == 0 ? "all is well" : "FAILED");
  return failures == 0 ? 0 : 1;
}
