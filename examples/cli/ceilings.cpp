#include "ceilings.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <thread>

#include "ceiling_loops.hpp"

namespace cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargePage = std::size_t{2} << 20;
// Short pieces and many of them: on a machine that is shared some then run undisturbed.
constexpr std::size_t kPiece = std::size_t{64} << 20;
constexpr int kReadPasses = 3, kDotRepetitions = 100;
constexpr double kDotSeconds = 0.002;  // of one repetition

class Buffer {
 public:
  explicit Buffer(std::size_t wanted) : bytes_(std::max(wanted / kLargePage, std::size_t{1}) * kLargePage) {
    mapped_ = mmap(nullptr, bytes_ + kLargePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::runtime_error("no memory to measure the read bandwidth with");
    const auto address = (reinterpret_cast<std::uintptr_t>(mapped_) + kLargePage - 1) / kLargePage * kLargePage;
    data_ = reinterpret_cast<std::byte*>(address);
#if defined(MADV_HUGEPAGE)
    madvise(data_, bytes_, MADV_HUGEPAGE);  // a wish: small pages do as well
#endif
    std::memset(data_, 1, bytes_);
  }
  ~Buffer() { munmap(mapped_, bytes_ + kLargePage); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  const std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
  void* mapped_ = nullptr;
  std::byte* data_ = nullptr;
};

// Seconds from the first thread's start to the last one's end, with all of them starting together.
double seconds_together(int threads, const std::function<void(int)>& work) {
  std::barrier start(threads);
  std::vector<Clock::time_point> began(static_cast<std::size_t>(threads)), ended(began);
  const auto body = [&](int index) {
    start.arrive_and_wait();
    began[static_cast<std::size_t>(index)] = Clock::now();
    work(index);
    ended[static_cast<std::size_t>(index)] = Clock::now();
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(body, i);
  body(0);
  others.clear();
  return std::chrono::duration<double>(*std::max_element(ended.begin(), ended.end()) -
                                       *std::min_element(began.begin(), began.end()))
      .count();
}

Rate summarise(std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  return {rates.back(), rates[rates.size() / 2]};
}

Rate measure_reading(const Buffer& buffer, ReadLoop loop, int threads) {
  const std::size_t piece = std::min(kPiece, buffer.bytes());
  const std::size_t share = piece / static_cast<std::size_t>(threads) / 2048 * 2048;
  std::vector<double> rates;
  for (int pass = 0; pass < kReadPasses; ++pass) {
    for (std::size_t first = 0; first + piece <= buffer.bytes(); first += piece) {
      const double seconds = seconds_together(threads, [&](int index) {
        const std::uint64_t sum = loop(buffer.data() + first + static_cast<std::size_t>(index) * share, share);
        asm volatile("" : : "r"(sum) : "memory");  // somebody wants it
      });
      rates.push_back(static_cast<double>(share) * threads / seconds * 1e-9);
    }
  }
  return summarise(std::move(rates));
}

Rate measure_dots(const DotLoop& loop, int threads) {
  if (!loop.run) return {};
  std::int64_t rounds = 1 << 12;
  while (seconds_together(1, [&](int) { loop.run(rounds); }) < kDotSeconds) rounds *= 2;
  std::vector<double> rates;
  for (int i = 0; i < kDotRepetitions; ++i) {
    const double seconds = seconds_together(threads, [&](int) { loop.run(rounds); });
    rates.push_back(2.0 * loop.multiply_adds * static_cast<double>(rounds) * threads / seconds * 1e-9);
  }
  return summarise(std::move(rates));
}

}  // namespace

Rate measure_cached_reading() {
  alignas(64) static std::byte data[16384];
  const ReadLoop loop = read_loops().one_stream;
  std::vector<double> rates;
  for (int i = 0; i < kDotRepetitions; ++i) {
    constexpr int kRounds = 2000;
    const double seconds = seconds_together(1, [&](int) {
      for (int round = 0; round < kRounds; ++round) {
        const std::uint64_t sum = loop(data, sizeof data);
        asm volatile("" : : "r"(sum) : "memory");
      }
    });
    rates.push_back(static_cast<double>(kRounds * sizeof data) / seconds * 1e-9);
  }
  return summarise(std::move(rates));
}

namespace {

Ceilings measure(const Buffer& buffer, int threads) {
  Ceilings found;
  found.threads = threads;
  const ReadLoops loops = read_loops();
  const Rate one = measure_reading(buffer, loops.one_stream, threads),
             four = measure_reading(buffer, loops.four_streams, threads);
  found.read_gb_per_s = one.best > four.best ? one : four;
  found.int8_gop_per_s = measure_dots(int8_loop(), threads);
  found.bf16_gop_per_s = measure_dots(bf16_loop(), threads);
  found.f32_gop_per_s = measure_dots(f32_loop(), threads);
  return found;
}

std::size_t affordable(std::int64_t wanted) {
#if defined(_SC_AVPHYS_PAGES)
  const std::int64_t free = std::int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  if (free > 0) wanted = std::min(wanted, free / 2);
#endif
  return static_cast<std::size_t>(wanted);
}

bool write_all(int file, const void* data, std::size_t bytes) {
  for (const char* at = static_cast<const char*>(data); bytes > 0;) {
    const ssize_t written = write(file, at, bytes);
    if (written <= 0) return false;
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

bool read_all(int file, void* data, std::size_t bytes) {
  for (char* at = static_cast<char*>(data); bytes > 0;) {
    const ssize_t found = read(file, at, bytes);
    if (found <= 0) return false;
    at += found;
    bytes -= static_cast<std::size_t>(found);
  }
  return true;
}

}  // namespace

DotInstructions dot_instructions() {
  const auto name = [](const DotLoop& loop) { return std::string(loop.instruction ? loop.instruction : ""); };
  return {name(int8_loop()), name(bf16_loop()), name(f32_loop())};
}

std::vector<Ceilings> measure_ceilings(const std::vector<int>& threads, std::int64_t buffer_bytes) {
  std::vector<Ceilings> found(threads.size());
  const std::size_t bytes = found.size() * sizeof(Ceilings);
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("the ceilings cannot be measured: no pipe");
  const pid_t child = fork();
  if (child == 0) {
    int code = 1;
    try {
      const Buffer buffer(affordable(buffer_bytes));
      for (std::size_t i = 0; i < threads.size(); ++i) found[i] = measure(buffer, threads[i]);
      code = write_all(ends[1], found.data(), bytes) ? 0 : 1;
    } catch (const std::exception&) {
    }
    _exit(code);
  }
  close(ends[1]);
  const bool complete = child > 0 && read_all(ends[0], found.data(), bytes);
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  if (!complete) throw std::runtime_error("the ceilings cannot be measured: no memory or no process for it");
  return found;
}

}  // namespace cli
