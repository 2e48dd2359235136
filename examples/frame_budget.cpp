// A game's loop: 60 frames a second, each with work of its own, and a model that talks in what is left. Prints how long frames
// took, without the model and with it.
//   frame_budget MODEL [--frames 600] [--work-ms 8] [--budget-ms 2] [--prompt TEXT]
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "fathom/chat.hpp"
#include "fathom/session.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr double kFrameMs = 1000.0 / 60.0;

double ms_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

// The game's own work: keeps a core busy for so long.
void simulate(double work_ms) {
  for (const auto began = Clock::now(); ms_since(began) < work_ms;) {
  }
}

// A character that says something, a little in each frame.
class Speaker {
 public:
  Speaker(const fathom::Model& model, const std::string& prompt) : session_(model, options(model)) {
    const fathom::ChatMessage message{"user", prompt};
    if (model.info().chat_format.empty()) {
      session_.append(model.tokenizer().encode(prompt, {.add_special = true}));
    } else {
      session_.append(fathom::encode_chat(model.tokenizer(), {&message, 1}));
    }
  }

  void think(std::int64_t budget_us) {
    if (done_) return;
    done_ = session_.step({.budget_us = budget_us, .max_new_tokens = 1'000'000}).stop != fathom::StopReason::none;
    said_ += session_.take_text();
  }
  bool done() const { return done_; }
  const std::string& said() const { return said_; }

 private:
  static fathom::SessionOptions options(const fathom::Model& model) {
    fathom::SessionOptions options;
    options.context_length = std::min<std::int64_t>(512, model.info().context_length);
    options.sampling.temperature = 0.7f;
    return options;
  }

  fathom::Session session_;
  std::string said_;
  bool done_ = false;
};

// Work of each frame, without the wait for the next one.
template <typename Frame>
std::vector<double> run_frames(int frames, Frame frame) {
  std::vector<double> took;
  auto next = Clock::now();
  for (int i = 0; i < frames; ++i) {
    const auto began = Clock::now();
    frame();
    took.push_back(ms_since(began));
    next += std::chrono::microseconds(16'667);
    std::this_thread::sleep_until(next);
  }
  return took;
}

void print_histogram(const char* title, const std::vector<double>& took, double first_ms) {
  std::array<int, 10> counts{};
  int late = 0;
  for (const double ms : took) {
    ++counts[std::size_t(std::clamp((ms - first_ms) / 0.5, 0.0, 9.0))];
    late += ms > kFrameMs;
  }
  std::printf("%s: %zu frames, longest %.2f ms, %d longer than %.2f ms\n", title, took.size(),
              *std::max_element(took.begin(), took.end()), late, kFrameMs);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::string bar(std::size_t(60 * counts[i] / int(took.size())), '#');
    std::printf("  %s%5.1f ms %6d %s\n", i + 1 == counts.size() ? ">" : " ", first_ms + 0.5 * double(i), counts[i],
                bar.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A 60 Hz loop in which a model talks");
  std::string path, prompt = "You are the keeper of an old lighthouse. Greet a traveller in two sentences.";
  int frames = 600, threads = 0;
  double work_ms = 8.0, budget_ms = 2.0;
  app.add_option("model", path, "a Hugging Face folder or a .gguf file")->required();
  app.add_option("--frames", frames)->check(CLI::Range(1, 1'000'000));
  app.add_option("--threads", threads, "of the model; 0: one for each core");
  app.add_option("--work-ms", work_ms, "the game's own work in each frame")->check(CLI::Range(0.0, 15.0));
  app.add_option("--budget-ms", budget_ms, "the model's share of each frame")->check(CLI::Range(0.05, 15.0));
  app.add_option("--prompt", prompt);
  CLI11_PARSE(app, argc, argv);
  try {
    fathom::RuntimeOptions options;
    options.threads = threads;
    const fathom::Model model = fathom::Model::open(fathom::Runtime(options), path);
    print_histogram("without the model", run_frames(frames, [&] { simulate(work_ms); }), work_ms);
    Speaker speaker(model, prompt);
    int thinking = 0;
    const auto took = run_frames(frames, [&] {
      simulate(work_ms);
      thinking += !speaker.done();
      speaker.think(std::int64_t(budget_ms * 1000.0));
    });
    print_histogram("with the model", took, work_ms);
    std::printf("in %d frames it said:%s%s\n", thinking, speaker.said().starts_with('\n') ? "" : " ", speaker.said().c_str());
  } catch (const fathom::Error& error) {
    std::fprintf(stderr, "frame_budget: %s\n", error.what());
    return 1;
  }
  return 0;
}
