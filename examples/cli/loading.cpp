// Opening a model while a person watches.
#include "loading.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace cli {
namespace {

// Prints what changed: every per cent on a terminal, every quarter in a log.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool report) : terminal_(isatty(STDERR_FILENO) == 1), shown_(terminal_ || report) {}

  void update(double done, std::string_view what) {
    const int percent = static_cast<int>(done * 100);
    if (!shown_ || percent < next_) return;
    const int width = static_cast<int>(std::min<std::size_t>(what.size(), 60));
    std::fprintf(stderr, terminal_ ? "\rloading %3d %%  %.*s\033[K" : "loading %3d %%  %.*s\n", percent, width, what.data());
    next_ = terminal_ ? percent + 1 : (percent / 25 + 1) * 25;
  }

  void finish() const {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  bool terminal_;
  bool shown_;
  int next_ = 0;
};

}  // namespace

LoadedModel load(const ModelArguments& arguments, bool report) {
  const auto start = std::chrono::steady_clock::now();
  Runtime runtime(arguments.runtime_options());
  ProgressDisplay display(report);
  fathom::ModelOptions options;
  options.progress = [&](double done, std::string_view what) {
    display.update(done, what);
    return true;
  };
  const auto open = [&] {
    try {
      return Model::open(runtime, arguments.path, options);
    } catch (...) {
      display.finish();
      throw;
    }
  };
  Model model = open();
  display.finish();
  const double load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return {std::move(runtime), std::move(model), load_ms};
}

}  // namespace cli
