// The instruction set in use, who multiplies with it, and which back ends a matrix gets.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "backend/choose_streams.hpp"
#include "backend/gemm_backend.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom {

// Who multiplies by one matrix: `few` up to `border` - 1 rows of activations, `many` from `border` on.
struct BackendChoice {
  const GemmBackend* few = nullptr;   // null: no back end multiplies by the matrix
  const GemmBackend* many = nullptr;  // null: `few` takes every number of rows
  std::int64_t border = 0;            // 0 where `many` is null
  // How rows are rearranged while the matrix is copied into memory of the model's own; null: they stay as stored.
  kernels::InterleaveRows interleave = nullptr;
};

enum class RowCounts { any, few };  // that the matrix is multiplied by; few: one back end for all

// One a runtime, and one a model. Any thread; all but choose_streams are const.
struct Engine {
  // `isa_level` has the order of fathom::Isa. `invariant`: the same kernels whatever the number of rows. `streams`: empty, or
  // a text that StreamChoice::parse takes; then models keep that choice. Throws Error{invalid_argument} for a wrong text.
  Engine(int isa_level, bool invariant, std::string_view streams = {});
  Engine(const Engine&) = delete;
  struct ForModel {};
  Engine(const Engine& of_runtime, ForModel);  // use for_model()

  // The back ends for a matrix with the format, shape and factors of `weights`; its data may be null.
  BackendChoice choose(const WeightView& weights, RowCounts counts = RowCounts::any) const noexcept;

  // An engine with the same back ends for a model, and a choice of streams of its own.
  std::shared_ptr<Engine> for_model() const;
  // Times products on these matrices of the model, unless the host has fixed the choice. Before the engine is shared.
  void choose_streams(std::span<const WeightView> samples, TaskSystem& tasks);

  const kernels::KernelTable& kernels;
  bool invariant;
  bool streams_fixed;
  StreamChoice streams;
  std::unique_ptr<GemmBackend> native;        // its matrices refer to `streams`
  std::shared_ptr<const GemmBackend> bf16;    // null when invariant, or without AMX
  std::shared_ptr<const GemmBackend> onednn;  // null when invariant, below AVX-512, or when there is none
};

}  // namespace fathom
