// The C interface's structs: bytes choose sizes, fields, what lies behind the fields, hooks and nested structs. Each struct
// lies in memory of exactly its struct_size, so that a read or write past it is seen. Wrong sizes, unknown and reserved fields
// are refused, a failure leaves outputs and the session as they were, and every failure has a sentence in UTF-8.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fathom.h"
#include "fuzz/input_bytes.hpp"
#include "fuzz/tensor_oracle.hpp"
#include "text/unicode.hpp"

namespace {

using fathom::fuzz::require;

class Bytes : public fathom::fuzz::InputBytes {
 public:
  using InputBytes::InputBytes;
  bool one_in(unsigned n) { return take<std::uint8_t>() % n == 0 && !empty(); }
  // A value that limits are set at, or any.
  template <typename T>
  T number() {
    constexpr double kEdges[] = {0, 1, 2, 0.5, -1, 20, 21, 256, 2147483647, -2147483648.0};
    const std::uint8_t choice = take<std::uint8_t>();
    return choice < 224 ? T(kEdges[choice % std::size(kEdges)]) : take<T>();
  }
  std::uint32_t flag() { return one_in(16) ? take<std::uint32_t>() : take<std::uint8_t>() & 1u; }
  std::uint32_t reserved() { return one_in(32) ? take<std::uint8_t>() : 0u; }
  std::string text(std::size_t most) {
    std::string text(take<std::uint8_t>() % (most + 1), '\0');
    for (char& c : text) c = char(take<std::uint8_t>());
    return text;
  }
};

// Sizes in the first version of the header: less than that was never right.
template <typename Struct>
constexpr std::uint32_t kFirstSize = sizeof(Struct);
template <>
constexpr std::uint32_t kFirstSize<fathom_model_options> = 24;

template <typename Struct>
std::uint32_t choose_size(Bytes& in) {
  const std::uint8_t choice = in.take<std::uint8_t>();
  if (choice < 192) return sizeof(Struct);
  if (choice < 240) return kFirstSize<Struct> - 8 + (choice - 192u);
  return in.take<std::uint32_t>();
}
template <typename Struct>
bool size_is_right(std::uint32_t size) {
  return size >= kFirstSize<Struct> && size <= 4096;
}

// As much memory as a caller with this struct_size has, and never less than the size itself takes.
std::size_t room(std::uint32_t size) { return std::clamp<std::size_t>(size, sizeof size, 4160); }

template <typename Struct>
class Options {
 public:
  // `wrong_field`: of what the caller's size covers, the rest being zero.
  template <typename Predicate>
  Options(Bytes& in, Struct fields, Predicate wrong_field) : null_(in.one_in(16)) {
    const std::uint32_t size = choose_size<Struct>(in);
    fields.struct_size = size;
    memory_ = std::make_unique<std::byte[]>(room(size));
    std::memcpy(memory_.get(), &fields, std::min(room(size), sizeof fields));
    Struct seen = {};
    std::memcpy(&seen, &fields, std::min(room(size), sizeof fields));
    wrong_ = !size_is_right<Struct>(size) || wrong_field(seen);
    if (room(size) > sizeof fields && in.one_in(4)) {
      const std::byte set = in.take<std::byte>();
      memory_[sizeof fields + in.take<std::uint16_t>() % (room(size) - sizeof fields)] = set;
      wrong_ = wrong_ || set != std::byte{0};
    }
  }
  Options(Bytes& in, Struct fields, bool fields_wrong) : Options(in, fields, [&](const Struct&) { return fields_wrong; }) {}
  const Struct* get() const { return null_ ? nullptr : reinterpret_cast<const Struct*>(memory_.get()); }
  bool must_be_refused() const { return wrong_ && !null_; }

 private:
  bool wrong_, null_;
  std::unique_ptr<std::byte[]> memory_;
};

template <typename Struct>
class Result {
 public:
  explicit Result(Bytes& in) : size_(choose_size<Struct>(in)), before_(room(size_), std::byte{0xa5}) {
    std::memcpy(before_.data(), &size_, sizeof size_);
    memory_ = std::make_unique<std::byte[]>(before_.size());
    std::copy(before_.begin(), before_.end(), memory_.get());
  }
  Struct* get() { return reinterpret_cast<Struct*>(memory_.get()); }
  bool must_be_refused() const { return !size_is_right<Struct>(size_); }
  void check(bool succeeded) const {
    if (succeeded) {
      require(std::memcmp(memory_.get(), &size_, sizeof size_) == 0);
      for (std::size_t at = sizeof(Struct); at < before_.size(); ++at) require(memory_[at] == std::byte{0});
    } else {
      require(std::equal(before_.begin(), before_.end(), memory_.get()));
    }
  }

 private:
  std::uint32_t size_;
  std::vector<std::byte> before_;
  std::unique_ptr<std::byte[]> memory_;
};

// A status with its sentence. True for FATHOM_OK.
bool succeeded(int32_t status, bool must_be_refused) {
  const std::string_view sentence = fathom_last_error();
  require(status >= FATHOM_OK && status <= FATHOM_BUFFER_TOO_SMALL && status != FATHOM_INTERNAL);
  require((status == FATHOM_OK) == sentence.empty() && fathom::text::is_utf8(sentence));
  if (must_be_refused) require(status == FATHOM_INVALID_ARGUMENT || status == FATHOM_UNSUPPORTED);
  return status == FATHOM_OK;
}

// ---- The host's side

void* allocate(void*, std::size_t bytes, std::size_t alignment, int32_t) {
  if (bytes > (64u << 20)) return nullptr;  // large is honest, but slow
  void* memory = nullptr;
  return posix_memalign(&memory, std::max(alignment, sizeof(void*)), std::max<std::size_t>(bytes, 1)) == 0 ? memory : nullptr;
}
void release(void*, void* memory, std::size_t, std::size_t, int32_t) { std::free(memory); }
int32_t run(void*, int32_t count, void (*task)(void*, int32_t), void* context) {
  for (int32_t i = 0; i < count; ++i) task(context, i);
  return 0;
}
int32_t open_nothing(void*, const char*, std::size_t, void**) { return FATHOM_NOT_FOUND; }
int32_t size_of_nothing(void*, void*, std::uint64_t*) { return FATHOM_IO_ERROR; }
int32_t read_nothing(void*, void*, std::uint64_t, void*, std::size_t) { return FATHOM_IO_ERROR; }
void close_nothing(void*, void*) {}
void write_log(void*, int32_t, const char*, std::size_t) {}
int32_t progress(void* user, double, const char*) { return user != nullptr; }

struct Held {
  fathom_runtime* runtime = nullptr;
  fathom_model* model = nullptr;
};

constexpr std::string_view kTokenizer =
    R"({"model": {"vocab": {"a": 0, "b": 1, "\n": 2, "<|im_start|>": 3, "<|im_end|>": 4}, "merges": []}, "added_tokens": [
    {"id": 3, "content": "<|im_start|>", "special": true}, {"id": 4, "content": "<|im_end|>", "special": true}], "decoder": {"type": "Fuse"}})";

// A mixture-of-experts model with a tokenizer, as long as the process.
const Held& held() {
  static std::map<std::string, std::string> files{{"tokenizer.json", std::string(kTokenizer)}};
  static const Held made = [] {
    for (const auto& entry : std::filesystem::directory_iterator(FATHOM_TEST_DATA "/deepseek-v3")) {
      const std::string name = entry.path().filename();
      if (name.starts_with("golden") || name == "manifest.json") continue;
      std::ifstream in(entry.path(), std::ios::binary);
      files[name] = {std::istreambuf_iterator<char>(in), {}};
    }
    std::vector<fathom_memory_file> given;
    for (const auto& [name, text] : files) given.push_back({name.data(), name.size(), text.data(), text.size()});
    fathom_allocator memory = {};
    memory.struct_size = sizeof memory, memory.allocate = allocate, memory.release = release;
    fathom_runtime_options options = {};
    options.struct_size = sizeof options, options.threads = 1, options.allocator = &memory;
    Held held;
    require(fathom_runtime_create(&options, &held.runtime) == 0);
    require(fathom_model_open_memory(held.runtime, given.data(), given.size(), nullptr, &held.model) == 0);
    return held;
  }();
  return made;
}

// ---- Structs with their fields

Options<fathom_sampling_options> sampling(Bytes& in) {
  fathom_sampling_options o = {};
  o.temperature = in.number<float>();
  o.top_p = in.number<float>();
  o.min_p = in.number<float>();
  o.repetition_penalty = in.number<float>();
  o.frequency_penalty = in.number<float>();
  o.presence_penalty = in.number<float>();
  o.top_k = in.number<std::int32_t>();
  o.penalty_window = in.number<std::int32_t>();
  o.reserved = in.reserved();
  o.seed = in.take<std::uint8_t>();
  return {in, o, o.reserved != 0};
}

// What a struct of stops points to.
struct Stops {
  explicit Stops(Bytes& in) : texts{in.text(8), in.text(3)}, options(make(in)) {}
  Options<fathom_stop_options> make(Bytes& in) {
    for (const std::string& text : texts) strings.push_back({text.data(), text.size()});
    for (int i = in.take<std::uint8_t>() % 4; i > 0; --i) tokens.push_back(in.number<std::int32_t>());
    fathom_stop_options o = {};
    o.ignore_stop_tokens = in.flag();
    o.tokens = in.one_in(16) ? nullptr : tokens.data();
    o.token_count = in.one_in(32) && o.tokens == nullptr ? in.take<std::uint64_t>() : tokens.size();
    o.strings = in.one_in(16) ? nullptr : strings.data();
    o.string_count = strings.size();
    const bool wrong = (o.tokens == nullptr && o.token_count > 0) || o.strings == nullptr;
    return {in, o, wrong || o.ignore_stop_tokens > 1};
  }
  std::vector<std::string> texts;
  std::vector<fathom_string> strings;
  std::vector<std::int32_t> tokens;
  Options<fathom_stop_options> options;
};

Options<fathom_step_options> step(Bytes& in, std::int64_t most_tokens) {
  fathom_step_options o = {};
  o.reserved = in.reserved();
  o.budget_us = in.number<std::int64_t>();
  o.max_new_tokens = std::min(in.number<std::int64_t>(), most_tokens);
  return {in, o, o.reserved != 0 || o.budget_us < 0 || o.max_new_tokens < FATHOM_NO_NEW_TOKENS};
}

// A hook, or none; and whether it is wrong.
template <typename Hook>
class Hooks {
 public:
  Hooks(Bytes& in, Hook hook, bool wrong) : options_(in, hook, wrong), none_(in.one_in(2)) {}
  const Hook* get() const { return none_ ? nullptr : options_.get(); }
  bool must_be_refused() const { return !none_ && options_.must_be_refused(); }

 private:
  Options<Hook> options_;
  bool none_;
};

// ---- Calls

void create_runtime(Bytes& in) {
  fathom_allocator a = {0, in.reserved(), nullptr, in.one_in(16) ? nullptr : allocate, in.one_in(16) ? nullptr : release};
  const Hooks<fathom_allocator> memory(in, a, a.reserved != 0 || !a.allocate || !a.release);
  fathom_task_system t = {0, in.number<std::int32_t>(), nullptr, in.one_in(16) ? nullptr : run};
  const Hooks<fathom_task_system> tasks(in, t, t.concurrency < 1 || !t.run);
  fathom_file_system f = {0,
                          in.reserved(),
                          nullptr,
                          in.one_in(16) ? nullptr : open_nothing,
                          size_of_nothing,
                          read_nothing,
                          nullptr,
                          nullptr,
                          in.one_in(16) ? nullptr : close_nothing};
  const Hooks<fathom_file_system> files(in, f, f.reserved != 0 || !f.open || !f.close);
  fathom_log_sink l = {0, in.reserved(), nullptr, in.one_in(16) ? nullptr : write_log};
  const Hooks<fathom_log_sink> log(in, l, l.reserved != 0 || !l.write);
  constexpr std::string_view kIsas[] = {"", "scalar", "avx2", "avx512_bf16", "amx_int8", "AVX2"};
  const std::string isa = in.one_in(4) ? in.text(12) : std::string(kIsas[in.take<std::uint8_t>() % std::size(kIsas)]);
  fathom_runtime_options o = {};
  o.threads = in.number<std::int32_t>();
  if (o.threads > 3 && o.threads <= 1024) o.threads %= 3;  // many are honest, but slow
  if (o.threads == 0) o.threads = 1;
  o.isa_limit = isa.data();
  o.isa_limit_size = isa.size();
  o.allocator = memory.get();
  o.tasks = tasks.get();
  o.files = files.get();
  o.log = log.get();
  o.invariant = in.flag();
  o.reserved = in.reserved();
  const bool hooks_wrong =
      memory.must_be_refused() || tasks.must_be_refused() || files.must_be_refused() || log.must_be_refused();
  const Options<fathom_runtime_options> options(
      in, o, hooks_wrong || o.invariant > 1 || o.reserved != 0 || o.threads < 0 || o.threads > 1024);
  fathom_runtime* made = nullptr;
  const bool ok = succeeded(fathom_runtime_create(options.get(), &made), options.must_be_refused());
  require(ok == (made != nullptr));
  if (!ok) return;
  Result<fathom_runtime_info> info(in);
  info.check(succeeded(fathom_runtime_get_info(made, info.get()), info.must_be_refused()));
  const std::string path = in.text(20);
  fathom_model* model = nullptr;
  if (o.files != nullptr)
    require(!succeeded(fathom_model_open(made, path.data(), path.size(), nullptr, &model), false) && !model);
  fathom_runtime_release(made);
}

void ask_model_needs(Bytes& in) {
  fathom_model_options o = {};
  o.verify = in.flag();
  o.progress = in.one_in(2) ? progress : nullptr;
  int stop = 0;
  o.progress_user = in.one_in(4) ? &stop : nullptr;
  o.lazy = in.flag();
  o.read = in.flag();
  const Options<fathom_model_options> options(
      in, o, [](const fathom_model_options& seen) { return seen.verify > 1 || seen.lazy > 1 || seen.read > 1; });
  const std::string path = in.one_in(4) ? in.text(40) : FATHOM_TEST_DATA "/deepseek-v3";
  Result<fathom_memory_needs> needs(in);
  // what is wrong with the path may be said first
  const bool told =
      succeeded(fathom_model_memory_needs(held().runtime, path.data(), path.size(), options.get(), needs.get()), false);
  require(!told || !(options.must_be_refused() || needs.must_be_refused()));
  needs.check(told);
  if (!in.one_in(8)) return;
  fathom_model* model = nullptr;
  const bool ok = succeeded(fathom_model_open(held().runtime, path.data(), path.size(), options.get(), &model), false);
  require(ok == (model != nullptr) && !(ok && options.must_be_refused()));
  fathom_model_release(model);
}

void ask_model(Bytes& in) {
  Result<fathom_model_info> info(in);
  info.check(succeeded(fathom_model_get_info(held().model, info.get()), info.must_be_refused()));
  const std::string key = in.text(12);
  std::size_t needed = 0;
  int32_t token = -1;
  succeeded(fathom_model_text(held().model, key.data(), key.size(), nullptr, 0, &needed), false);
  succeeded(fathom_find_token(held().model, key.data(), key.size(), &token), false);
}

void encode_chat(Bytes& in) {
  const std::string role = in.one_in(4) ? in.text(12) : "user", content = in.text(40);
  const std::string format = in.one_in(2) ? "" : in.one_in(2) ? "chatml" : in.text(12);
  const fathom_message message = {role.data(), role.size(), content.data(), content.size()};
  fathom_chat_options o = {};
  o.thinking = in.flag();
  o.format = format.data();
  o.format_size = format.size();
  o.no_generation_prompt = in.flag();
  o.reserved = in.reserved();
  const Options<fathom_chat_options> options(in, o, o.thinking > 1 || o.no_generation_prompt > 1 || o.reserved != 0);
  std::vector<std::int32_t> tokens(in.take<std::uint8_t>() % 64, -7);
  std::size_t needed = 0;
  const bool ok = succeeded(fathom_encode_chat(held().model, &message, 1, options.get(), tokens.data(), tokens.size(), &needed),
                            options.must_be_refused());
  const std::size_t written = ok && !tokens.empty() ? needed : 0;
  require(written <= tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) require((tokens[i] != -7) == (i < written));
}

std::size_t length(const fathom_session* session) {
  std::size_t needed = 0;
  require(succeeded(fathom_session_tokens(session, nullptr, 0, &needed), false));
  return needed;
}

fathom_session* plain_session() {
  fathom_session_options options = {};
  options.struct_size = sizeof options, options.context_length = 32, options.chunk_rows = 8;
  fathom_session* session = nullptr;
  constexpr std::int32_t kTokens[] = {0, 1, 2};
  require(fathom_session_create(held().model, &options, &session) == 0 && fathom_session_append(session, kTokens, 3) == 0);
  return session;
}

void create_session(Bytes& in) {
  const auto drawing = sampling(in);
  const Stops stops(in);
  fathom_session_options o = {};
  o.cache = in.number<std::int32_t>();
  o.context_length = in.number<std::int64_t>();
  o.sampling = drawing.get();
  o.stop = stops.options.get();
  o.chunk_rows = in.number<std::int32_t>();
  o.top_logprobs = in.number<std::int32_t>();
  o.trace_routes = in.flag();
  o.count_routes = in.flag();
  const bool wrong = drawing.must_be_refused() || stops.options.must_be_refused() || o.cache < 0 ||
                     o.cache > FATHOM_CACHE_Q8_0 || o.context_length < 0 || o.chunk_rows < 0 || o.top_logprobs < 0 ||
                     o.top_logprobs > 20 || o.trace_routes > 1 || o.count_routes > 1;
  const Options<fathom_session_options> options(in, o, wrong);
  Result<fathom_memory_needs> needs(in);
  needs.check(succeeded(fathom_session_memory_needs(held().model, options.get(), needs.get()),
                        options.must_be_refused() || needs.must_be_refused()));
  fathom_session* session = nullptr;
  const bool ok = succeeded(fathom_session_create(held().model, options.get(), &session), options.must_be_refused());
  require(ok == (session != nullptr));
  const std::int32_t token = in.number<std::int32_t>();
  if (ok && succeeded(fathom_session_append(session, &token, 1), false))
    succeeded(fathom_session_step(session, nullptr, nullptr), false);
  fathom_session_release(session);
}

void change_session(Bytes& in) {
  fathom_session* session = plain_session();
  while (!in.empty()) {
    const std::uint8_t choice = in.take<std::uint8_t>() % 4;
    if (choice == 0) {
      const auto options = sampling(in);
      succeeded(fathom_session_set_sampling(session, options.get()), options.must_be_refused());
    } else if (choice == 1) {
      const Stops stops(in);
      succeeded(fathom_session_set_stop(session, stops.options.get()), stops.options.must_be_refused());
    } else {
      const auto options = step(in, 4);
      Result<fathom_step_result> result(in);
      const bool asks = !in.one_in(8);
      const std::size_t before = length(session);
      const bool refused = options.must_be_refused() || (asks && result.must_be_refused());
      const bool ok = succeeded(fathom_session_step(session, options.get(), asks ? result.get() : nullptr), refused);
      if (asks) result.check(ok);
      require(!refused || length(session) == before);
      if (ok && length(session) > 24) require(succeeded(fathom_session_rewind(session, 3), false));
    }
  }
  fathom_session_release(session);
}

void step_batch(Bytes& in) {
  fathom_batch_options o = {};
  o.rows = in.number<std::int32_t>();
  o.sessions = in.number<std::int32_t>();
  o.reserved = in.reserved();
  const Options<fathom_batch_options> options(in, o, o.rows < 0 || o.sessions < 0 || o.reserved != 0);
  fathom_batch* batch = nullptr;
  const bool made = succeeded(fathom_batch_create(held().model, options.get(), &batch), options.must_be_refused());
  require(made == (batch != nullptr));
  if (!made) return;
  fathom_session* session = plain_session();
  require(succeeded(fathom_batch_add(batch, session), false));
  const auto slice = step(in, 2);
  Result<fathom_batch_result> result(in);
  Result<fathom_step_result> part(in);
  const std::size_t before = length(session);
  const bool refused = slice.must_be_refused() || result.must_be_refused();
  result.check(succeeded(fathom_batch_step(batch, slice.get(), result.get()), refused));
  require(!refused || length(session) == before);
  const bool told = succeeded(fathom_batch_get_result(batch, session, part.get()), part.must_be_refused());
  if (told || part.must_be_refused()) part.check(told);  // filled, too, where the member's part failed
  fathom_batch_release(batch);
  fathom_session_release(session);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in(data, std::min<std::size_t>(size, 512));
  constexpr void (*kCalls[])(Bytes&) = {create_runtime, ask_model_needs, ask_model, encode_chat,
                                        create_session, change_session,  step_batch};
  kCalls[in.take<std::uint8_t>() % std::size(kCalls)](in);
  return 0;
}
