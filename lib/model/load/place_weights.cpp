#include "model/load/place_weights.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "model/load/loading_pieces.hpp"
#include "platform/memory_policy.hpp"

namespace fathom::model {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{8} << 20;
constexpr std::int64_t kGroupRows = kernels::kInterleavedRows;
constexpr std::size_t kPiecesPerWorker = 16;  // between two reports of progress

// What the disk is asked for ahead of the piece that is rearranged, so that it always has work: up to half a gigabyte, a few
// pieces more with each that is done.
constexpr std::size_t kPiecesAhead = 64, kAsksAtOnce = 4;

// Rows of one matrix that a worker does at once.
struct Piece {
  const Placement* matrix;
  std::int64_t first, last;
};

std::vector<Piece> cut(std::span<const Placement> placements) {
  std::vector<Piece> pieces;
  for (const Placement& matrix : placements) {
    const std::int64_t row_bytes = std::max<std::int64_t>(matrix.stored.stored.row_bytes, 1);
    const std::int64_t rows = std::max(kPieceBytes / row_bytes / kGroupRows * kGroupRows, kGroupRows);
    for (std::int64_t first = 0; first < matrix.stored.rows; first += rows) {
      pieces.push_back({&matrix, first, std::min(first + rows, matrix.stored.rows)});
    }
  }
  return pieces;
}

std::span<const std::byte> bytes_of(const Piece& piece) {
  const kernels::WeightRows& stored = piece.matrix->stored.stored;
  return {reinterpret_cast<const std::byte*>(stored.data + piece.first * stored.row_bytes),
          std::size_t((piece.last - piece.first) * stored.row_bytes)};
}

void place(const io::TensorSource& tensors, const Piece& piece) noexcept {
  const kernels::WeightRows& stored = piece.matrix->stored.stored;
  const std::span<const std::byte> from = bytes_of(piece);
  bring_in(from);
  std::uint8_t* const out = piece.matrix->out + piece.first * stored.row_bytes;
  if (piece.matrix->interleave) {
    piece.matrix->interleave(stored, piece.first, piece.last, out);
  } else {
    std::memcpy(out, from.data(), from.size());
  }
  tensors.release(from);
}

}  // namespace

void place_weights(const io::TensorSource& tensors, std::span<const Placement> placements, TaskSystem& tasks,
                   const std::function<bool(double done, std::string_view what)>& progress) {
  const std::vector<Piece> pieces = cut(placements);
  std::atomic<std::size_t> asked{0};
  run_pieces(tasks, pieces.size(), kPiecesPerWorker, "placing weights", progress, [&](std::size_t i) {
    const std::size_t wanted = std::min(i + kPiecesAhead, pieces.size());
    for (std::size_t ask = 0; ask < kAsksAtOnce && asked < wanted; ++ask) {
      if (const std::size_t piece = asked++; piece < pieces.size()) read_ahead(bytes_of(pieces[piece]));
    }
    place(tensors, pieces[i]);
    return true;
  });
}

}  // namespace fathom::model
