#include "model/bring_in_weights.hpp"

#include <algorithm>
#include <atomic>

#include "base/error.hpp"
#include "platform/memory_policy.hpp"

namespace fathom::model {
namespace {

constexpr std::size_t kPiece = std::size_t{32} << 20;   // whole large pages
constexpr std::int64_t kPiecesPerWorker = 4;            // between two reports of progress

}  // namespace

void bring_in_weights(const io::TensorSource& tensors, TaskSystem& tasks,
                      const std::function<bool(double done, std::string_view what)>& progress) {
  std::vector<std::span<const std::byte>> pieces;
  std::uint64_t bytes = 0;
  for (std::uint32_t part = 0; part < tensors.parts(); ++part) {
    const std::span<const std::byte> map = tensors.mapped(part);
    for (std::size_t first = 0; first < map.size(); first += kPiece) pieces.push_back(map.subspan(first, std::min(kPiece, map.size() - first)));
    bytes += map.size();
  }
  const std::int64_t memory = physical_memory_bytes();
  if (memory > 0 && bytes > std::uint64_t(memory) / 10 * 9) return;

  std::atomic<bool> able{true};
  const std::size_t step = std::size_t(kPiecesPerWorker * tasks.concurrency());
  for (std::size_t first = 0; first < pieces.size() && able; first += step) {
    if (progress && !progress(double(first) / double(pieces.size()), "reading weights")) {
      fail(Status::cancelled, "loading was cancelled while weights were read");
    }
    const std::size_t count = std::min(step, pieces.size() - first);
    std::atomic<std::size_t> next{0};
    auto body = [&](int) {
      for (std::size_t i; (i = next.fetch_add(1)) < count;) {
        if (!bring_in(pieces[first + i])) able = false;
      }
    };
    run_tasks(tasks, int(std::min<std::size_t>(count, std::size_t(tasks.concurrency()))), body);
  }
  if (progress && !progress(1.0, "reading weights")) fail(Status::cancelled, "loading was cancelled after the weights were read");
}

}  // namespace fathom::model
