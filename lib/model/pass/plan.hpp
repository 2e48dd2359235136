// The order of work: a forward pass as a list of stages, each a number of independent units. A unit is what cannot be
// interrupted: some columns of a matrix, a group of heads, a few rows of a vector operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fathom::model {

class Pass;

// For the account of where time goes.
enum class Part : std::uint8_t { attention, router, experts, mlp, head, other };
inline constexpr int kParts = 6;

// What one task owns while it runs units. Sized when the pass is made.
struct Worker {
  std::span<std::byte> linear;  // for the back ends, and for attention in BF16
  std::span<float> local;       // for the stage
};

// Where a stage works: a block of a layer.
struct Place {
  int layer = 0;
  int block = 0;  // index into LayerSpec::blocks
};

// What a stage's preparation found.
enum class Prepared {
  ready,
  waits,   // for a read or a peer: the pass goes on later, no thread is blocked
  failed,  // Pass::fail() says why
};

struct StageKind {
  const char* name;
  Part part;
  // How many units there are; 0: the stage has nothing to do in this pass.
  std::int64_t (*units)(const Pass& pass, Place at);
  void (*run)(Pass& pass, Place at, std::int64_t unit, Worker& worker);
  // Runs on one thread before the units of a round, once; again when it said `waits`. Null: nothing to prepare.
  Prepared (*prepare)(Pass& pass, Place at) = nullptr;
  // For the last stage of a loop: do its stages, this one and those just before it, run again with the next Pass::round?
  bool (*another_round)(const Pass& pass, Place at) = nullptr;
  std::size_t stages_a_round = 1;
};

struct Stage {
  const StageKind* kind = nullptr;
  Place at;
  bool ends_layer = false;  // the residual stream is now what the layer returns
};

// Stages in the order in which they run.
class Plan {
 public:
  void add(const StageKind& kind, Place at = {}) { stages_.push_back({&kind, at, false}); }
  void end_layer() { stages_.back().ends_layer = true; }

  std::size_t size() const noexcept { return stages_.size(); }
  const Stage& operator[](std::size_t index) const noexcept { return stages_[index]; }
  auto begin() const noexcept { return stages_.begin(); }
  auto end() const noexcept { return stages_.end(); }

 private:
  std::vector<Stage> stages_;
};

// Rows of small vector work in one unit.
inline constexpr std::int64_t kRowsPerUnit = 16;
inline std::int64_t row_units(std::int64_t rows) { return (rows + kRowsPerUnit - 1) / kRowsPerUnit; }

}  // namespace fathom::model
