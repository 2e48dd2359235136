#include "backend/select.hpp"

#include "kernels/select.hpp"

namespace fathom {

Engine::Engine(int isa_level, bool invariant_, std::string_view text)
    : kernels(kernels::select_table(isa_level)),
      invariant(invariant_),
      streams_fixed(!text.empty()),
      streams(StreamChoice::parse(kernels, text)),
      native(make_native_backend(kernels, &streams)) {
  if (!invariant) bf16 = make_bf16_backend(kernels);
  // oneDNN looks at the CPU itself and would pass a lower limit; below AVX-512 the native kernels do it all.
  constexpr int kAvx512 = 2;
  if (!invariant && isa_level >= kAvx512) onednn = make_onednn_backend(kernels);
}

Engine::Engine(const Engine& of_runtime, ForModel)
    : kernels(of_runtime.kernels),
      invariant(of_runtime.invariant),
      streams_fixed(of_runtime.streams_fixed),
      streams(of_runtime.streams),
      native(make_native_backend(kernels, &streams)),
      bf16(of_runtime.bf16),
      onednn(of_runtime.onednn) {}

std::shared_ptr<Engine> Engine::for_model() const { return std::make_shared<Engine>(*this, ForModel()); }

void Engine::choose_streams(std::span<const WeightView> samples, TaskSystem& tasks) {
  if (!streams_fixed) streams = fathom::choose_streams(kernels, samples, tasks);
}

BackendChoice Engine::choose(const WeightView& weights, RowCounts counts) const noexcept {
  BackendChoice choice;
  if (!native->accepts(weights)) return choice;
  choice.few = native.get();
  choice.interleave = native->interleaving(weights);
  if (counts == RowCounts::few) return choice;
  // The first one that accepts the matrix takes many rows.
  const struct {
    const GemmBackend* backend;
    std::int64_t (*min_rows)(StorageFormat) noexcept;
  } for_many[] = {{bf16.get(), bf16_min_rows}, {onednn.get(), onednn_min_rows}};
  for (const auto& [backend, min_rows] : for_many) {
    if (!backend || !backend->accepts(weights)) continue;
    choice.many = backend;
    choice.border = min_rows(weights.format);
    break;
  }
  return choice;
}

}  // namespace fathom
