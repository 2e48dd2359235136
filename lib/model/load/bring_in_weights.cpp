#include "model/load/bring_in_weights.hpp"

#include <algorithm>
#include <vector>

#include "model/load/loading_pieces.hpp"
#include "platform/memory_policy.hpp"

namespace fathom::model {
namespace {

constexpr std::size_t kPiece = std::size_t{32} << 20;  // whole large pages
constexpr std::size_t kPiecesPerWorker = 4;            // between two reports of progress

using Bytes = std::span<const std::byte>;

// The parts of the maps between placed matrices, in pieces.
std::vector<Bytes> cut(const io::TensorSource& tensors, std::span<const Placement> placed) {
  std::vector<Bytes> taken;
  for (const Placement& matrix : placed) {
    taken.push_back({reinterpret_cast<const std::byte*>(matrix.stored.stored.data), std::size_t(matrix.stored.bytes())});
  }
  std::sort(taken.begin(), taken.end(), [](Bytes a, Bytes b) { return a.data() < b.data(); });
  std::vector<Bytes> pieces;
  const auto add = [&](const std::byte* first, const std::byte* last) {
    for (; first < last; first += std::min<std::ptrdiff_t>(last - first, kPiece)) {
      pieces.push_back({first, std::min(std::size_t(last - first), kPiece)});
    }
  };
  for (std::uint32_t part = 0; part < tensors.parts(); ++part) {
    const Bytes map = tensors.mapped(part);
    const std::byte* at = map.data();
    const std::byte* const end = map.data() + map.size();
    for (const Bytes matrix : taken) {
      if (matrix.data() < at || matrix.data() >= end) continue;
      add(at, matrix.data());
      at = matrix.data() + matrix.size();
    }
    add(at, end);
  }
  return pieces;
}

}  // namespace

void bring_in_weights(const io::TensorSource& tensors, std::span<const Placement> placed, TaskSystem& tasks,
                      const std::function<bool(double done, std::string_view what)>& progress) {
  const std::vector<Bytes> pieces = cut(tensors, placed);
  std::uint64_t bytes = 0;
  for (const Bytes piece : pieces) bytes += piece.size();
  const std::int64_t memory = physical_memory_bytes();
  if (memory > 0 && bytes > std::uint64_t(memory) / 10 * 9) return;

  run_pieces(tasks, pieces.size(), kPiecesPerWorker, "reading weights", progress, [&](std::size_t i) {
    read_ahead(pieces[i]);
    return bring_in(pieces[i]);
  });
}

}  // namespace fathom::model
