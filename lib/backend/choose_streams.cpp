#include "backend/choose_streams.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <vector>

#include "kernels/prefetch_rows.hpp"

namespace fathom {
namespace {

using kernels::kPrefetchKinds;
using kernels::kPrefetchRows;
using kernels::Prefetch;
using kernels::StreamPrefetch;

// Rows of activations that stand for a kind, and the share of the time it gets: generation is what prefetching decides.
constexpr std::int64_t kRowsOf[kPrefetchKinds] = {1, 4, 16};
constexpr int kShareOf[kPrefetchKinds] = {2, 1, 1};
constexpr std::int64_t kMostRows = 16;

constexpr std::int64_t kUnitBytes = 256 << 10;  // of weights that a task multiplies at once
constexpr std::int64_t kUnitRows = 1024;        // at most
constexpr std::int64_t kMostUnits = 1 << 14;    // of a sample
constexpr std::int64_t kUnitStep = kernels::kInterleavedRows;
constexpr std::int64_t kFormatBytes = std::int64_t{1} << 30;  // of a format are enough

constexpr std::int64_t kFormatShare = 20;  // a format with less than one in so many bytes is not timed
constexpr double kLeastGain = 0.03;
constexpr double kHopeless = 1.10;  // a candidate that takes so many times the best one's time is dropped
constexpr std::size_t kLeastRounds = 3;
constexpr int kSamplesWanted = 24;  // of one kind: six or so rounds, most of few candidates

// Names from kPrefetchRows. From 3 rows on products may prefetch the next tile instead of the stream, which moves the border
// between the two to where this machine wants it.
constexpr std::string_view kFewCandidates[] = {"none", "1k", "4k", "8k", "4k/2"};
constexpr std::string_view kMoreCandidates[] = {"none", "4k", "8k", "tile"};

std::int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool has_blocks(const kernels::KernelTable& kernels, StorageFormat format) noexcept {
  return !kernels::is_floating(int(format)) && kernels.matmul_q8[int(format)];
}

// The candidates, the built-in prefetch first. Floating formats have no tiles.
std::vector<Prefetch> candidates_for(const Prefetch& builtin, int kind, bool blocks) {
  std::vector<Prefetch> candidates{builtin};
  const std::span<const std::string_view> names =
      kind == 0 ? std::span<const std::string_view>(kFewCandidates) : std::span<const std::string_view>(kMoreCandidates);
  for (const auto& row : kPrefetchRows) {
    if (std::find(names.begin(), names.end(), row.name) == names.end() || row.how == builtin) continue;
    if (blocks || !row.how.next_tile) candidates.push_back(row.how);
  }
  return candidates;
}

// Rows of one matrix that a task multiplies at once.
struct Unit {
  const WeightView* weights;
  std::int64_t first, last;
};

// The weights of one format, in units, and the memory to multiply them in.
class Stream {
 public:
  Stream(const kernels::KernelTable& kernels, StorageFormat format, std::span<const WeightView> samples, TaskSystem& tasks)
      : kernels_(kernels), format_(format), blocks_(has_blocks(kernels, format)), tasks_(tasks) {
    std::int64_t bytes = 0, cols = 0;
    for (const WeightView& weights : samples) {
      if (!takes(weights) || bytes >= kFormatBytes) continue;
      const std::int64_t fitting = kUnitBytes / std::max<std::int64_t>(weights.stored.row_bytes, 1);
      const std::int64_t step = std::clamp(fitting / kUnitStep * kUnitStep, kUnitStep, kUnitRows);
      for (std::int64_t first = 0; first + step <= weights.rows; first += step)
        units_.push_back({&weights, first, first + step});
      bytes += weights.bytes();
      cols = std::max(cols, weights.cols);
    }
    out_.resize(std::size_t(workers() * kMostRows * kUnitRows));
    // Any numbers of ordinary size do.
    for (std::int64_t i = 0; i < kMostRows * cols; ++i) floats_.push_back(float(i % 61 - 30) / 32.0f);
    if (!blocks_) return;
    for (std::int64_t i = 0; i < kMostRows * cols; ++i) values_.push_back(std::int8_t(i % 251 - 125));
    scales_.assign(std::size_t(kMostRows * cols / 32 + 1), 1.0f / 128);
    sums_.assign(std::size_t(kMostRows * cols / 16 + 1), std::int16_t(100));
  }

  // Can its products choose? Those of rows as stored in block formats cannot.
  bool takes(const WeightView& weights) const noexcept {
    return weights.format == format_ && weights.stored.data && (!blocks_ || weights.stored.interleaved);
  }
  bool empty() const noexcept { return units_.empty(); }
  std::int64_t workers() const noexcept { return std::max(tasks_.concurrency(), 1); }

  // Multiplies the next `count` units by m rows of activations.
  void multiply(std::int64_t count, std::int64_t m, const Prefetch& how) {
    const StreamPrefetch prefetch{{how, how, how}};
    std::atomic<std::int64_t> next{0};
    auto body = [&](int worker) noexcept {
      float* const out = out_.data() + std::size_t(worker) * std::size_t(kMostRows * kUnitRows);
      for (std::int64_t i; (i = next.fetch_add(1)) < count;) {
        multiply_unit(units_[std::size_t((at_ + i) % std::int64_t(units_.size()))], m, prefetch, out);
      }
    };
    run_tasks(tasks_, int(workers()), body);
    at_ = (at_ + count) % std::int64_t(units_.size());
  }

 private:
  void multiply_unit(const Unit& unit, std::int64_t m, const StreamPrefetch& prefetch, float* out) const noexcept {
    kernels::WeightRows rows = unit.weights->stored;
    rows.prefetch = &prefetch;
    const std::int64_t stride = unit.last - unit.first;
    if (blocks_) {
      const kernels::QuantisedRows x{values_.data(), scales_.data(), sums_.data(), rows.cols};
      kernels_.matmul_q8[int(format_)](rows, unit.first, unit.last, x, m, out - unit.first, stride);
    } else {
      kernels_.matmul_f32[int(format_)](rows, unit.first, unit.last, floats_.data(), rows.cols, m, out - unit.first, stride);
    }
  }

  const kernels::KernelTable& kernels_;
  StorageFormat format_;
  bool blocks_;
  TaskSystem& tasks_;
  std::vector<Unit> units_;
  std::int64_t at_ = 0;  // the next unit: each is read once before any is read again, so that none is in a cache
  std::vector<float> floats_;
  std::vector<std::int8_t> values_;
  std::vector<float> scales_;
  std::vector<std::int16_t> sums_;
  std::vector<float> out_;
};

// A candidate, and its time in each round as a multiple of the built-in prefetch's.
struct Contestant {
  Prefetch how;
  std::vector<double> ratios;

  double median() const {
    std::vector<double> sorted = ratios;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
  bool wins() const {
    const auto faster = [](double ratio) { return ratio < 1.0; };
    return ratios.size() >= kLeastRounds && median() <= 1.0 - kLeastGain &&
           5 * std::count_if(ratios.begin(), ratios.end(), faster) >= 4 * std::int64_t(ratios.size());
  }
};

class Contest {
 public:
  Contest(Stream& stream, std::int64_t m, std::span<const Prefetch> candidates, const StreamTiming& timing,
          std::int64_t deadline_ns)
      : stream_(stream), m_(m), timing_(timing), deadline_ns_(deadline_ns), units_(2 * stream.workers()) {
    for (const Prefetch& how : candidates) contestants_.push_back({how, {}});
  }

  // Rounds in which every candidate that is left is timed once, until the time is over. Machines have slow and fast spells that
  // outlast a round, so times are compared within rounds only.
  Prefetch decide() {
    const std::int64_t begin = timing_.now_ns();
    const double each_ns = double(time(builtin().how)) / double(units_);  // wakes the workers, too
    const double wanted_ns = double(deadline_ns_ - begin) / kSamplesWanted;
    units_ = std::clamp(std::int64_t(wanted_ns / std::max(each_ns, 1.0)), std::int64_t(stream_.workers()), kMostUnits);
    for (std::size_t round = 0; contestants_.size() > 1 && run_round(round); ++round) drop_hopeless();
    const Contestant* best = &builtin();
    for (const Contestant& other : contestants_) {
      if (&other != &builtin() && other.wins() && (best == &builtin() || other.median() < best->median())) best = &other;
    }
    return best->how;
  }

 private:
  const Contestant& builtin() const { return contestants_.front(); }

  std::int64_t time(const Prefetch& how) {
    const std::int64_t begin = timing_.now_ns();
    stream_.multiply(units_, m_, how);
    return timing_.now_ns() - begin;
  }

  // False when the time is over: what the round has measured then does not count.
  bool run_round(std::size_t round) {
    std::vector<double> times(contestants_.size());
    double longest = 0;
    for (std::size_t i = 0; i < times.size(); ++i) {
      if (double(timing_.now_ns()) + longest > double(deadline_ns_)) return false;
      const std::size_t which = (i + round) % times.size();
      times[which] = std::max(double(time(contestants_[which].how)), 1.0);
      longest = std::max(longest, times[which]);
    }
    for (std::size_t i = 0; i < times.size(); ++i) contestants_[i].ratios.push_back(times[i] / times[0]);
    return true;
  }

  // Those that are far behind; from the third round on all but the built-in one and the best two.
  void drop_hopeless() {
    double best = 1.0;
    for (const Contestant& one : contestants_) best = std::min(best, one.median());
    const auto others = contestants_.begin() + 1;
    contestants_.erase(
        std::remove_if(others, contestants_.end(), [&](const Contestant& one) { return one.median() > kHopeless * best; }),
        contestants_.end());
    std::stable_sort(contestants_.begin() + 1, contestants_.end(),
                     [](const Contestant& a, const Contestant& b) { return a.median() < b.median(); });
    if (builtin().ratios.size() >= kLeastRounds && contestants_.size() > 3) contestants_.resize(3);
  }

  Stream& stream_;
  std::int64_t m_;
  const StreamTiming& timing_;
  std::int64_t deadline_ns_;
  std::int64_t units_;                   // of a sample
  std::vector<Contestant> contestants_;  // the built-in prefetch first
};

// The prefetch of one format. Kinds that another back end multiplies keep the built-in one.
StreamPrefetch choose(const kernels::KernelTable& kernels, StorageFormat format, Stream& stream, const StreamTiming& timing,
                      std::int64_t deadline_ns) {
  StreamPrefetch chosen = *kernels.prefetch[int(format)];
  const bool many = has_blocks(kernels, format) && !kernels.matmul_bf16[int(format)];
  const int kinds = many ? kPrefetchKinds : kPrefetchKinds - 1;
  int shares = 0;
  for (int kind = 0; kind < kinds; ++kind) shares += kShareOf[kind];
  for (int kind = 0; kind < kinds; ++kind) {
    const std::int64_t now = timing.now_ns(), end = now + (deadline_ns - now) * kShareOf[kind] / shares;
    shares -= kShareOf[kind];
    const std::vector<Prefetch> candidates = candidates_for(chosen.of[kind], kind, has_blocks(kernels, format));
    chosen.of[kind] = Contest(stream, kRowsOf[kind], candidates, timing, end).decide();
  }
  return chosen;
}

}  // namespace

StreamChoice choose_streams(const kernels::KernelTable& kernels, std::span<const WeightView> samples, TaskSystem& tasks,
                            const StreamTiming& given) {
  StreamTiming timing = given;
  if (!timing.now_ns) timing.now_ns = steady_ns;
  StreamChoice choice(kernels);
  std::array<std::int64_t, kernels::kFormats> bytes{};
  std::int64_t total = 0;
  for (const WeightView& weights : samples) {
    total += weights.bytes();
    if (choice.of(weights.format)) bytes[std::size_t(weights.format)] += weights.bytes();
  }
  if (total < timing.least_bytes) return choice;

  const std::int64_t end = timing.now_ns() + timing.budget_ns;
  std::vector<StorageFormat> formats;  // those with most weights first
  for (int i = 0; i < kernels::kFormats; ++i) {
    if (bytes[std::size_t(i)] > 0 && kFormatShare * bytes[std::size_t(i)] >= total) formats.push_back(StorageFormat(i));
  }
  std::sort(formats.begin(), formats.end(),
            [&](StorageFormat a, StorageFormat b) { return bytes[std::size_t(a)] > bytes[std::size_t(b)]; });
  for (std::size_t i = 0; i < formats.size(); ++i) {
    const std::int64_t now = timing.now_ns();
    Stream stream(kernels, formats[i], samples, tasks);
    if (stream.empty()) continue;
    choice.set(formats[i], choose(kernels, formats[i], stream, timing, now + (end - now) / std::int64_t(formats.size() - i)));
  }
  return choice;
}

}  // namespace fathom
