// A model ready to run: configuration, weights and plan, with the arithmetic that serves them. Immutable; shared.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/select.hpp"
#include "base/allocator.hpp"
#include "io/tensor_source.hpp"
#include "model/config/config.hpp"
#include "model/mechanism.hpp"
#include "model/pass/plan.hpp"
#include "model/pass/slot.hpp"
#include "nn/kv_cache.hpp"
#include "nn/linear.hpp"

namespace fathom::model {

// One mechanism of a layer with its weights.
struct Block {
  const Mechanism* mechanism = nullptr;
  Slot weights;
  std::size_t scratch = 0;  // index into PassMemory::scratch
  // A matrix for each kind of product that reads the rows the residual hands the block: products of one kind read the same
  // forms.
  std::vector<const nn::Linear*> readers;    // all rows
  std::vector<const nn::Linear*> gatherers;  // some rows

  // The forms in which products of a pass of so many rows read them.
  ActivationForms input_forms(std::int64_t rows) const noexcept;
};

struct Layer {
  Slot residual;
  std::vector<Block> blocks;
};

struct Network {
  std::shared_ptr<const Engine> engine;
  Config config;
  WeightView token_embd;               // [vocab, hidden]
  const float* output_norm = nullptr;  // [hidden]
  nn::Linear output;                   // [vocab, hidden]
  std::vector<Layer> layers;
  std::vector<std::vector<double>> rope_frequencies;  // of each of config.ropes: [dims / 2]
  Plan body;                                          // from token ids to the residual stream after the last layer
  Plan head;                                          // from there to logits
  std::vector<const Mechanism*> mechanisms;           // that layers use, each once: Block::scratch points here
  bool rounds_activations = false;                    // most weights are in block formats, whose products round activations

  // What the views and pointers refer to.
  std::shared_ptr<const io::TensorSource> stored;
  std::vector<Buffer> owned;  // small vectors as F32, and the matrices that are not read where they are stored

  void for_matrices(const MatrixVisitor& visit) const;  // the output head included
  // All that matrices read of up to so many rows of activations.
  ActivationForms activation_forms(std::int64_t max_rows) const;

  nn::KvCacheShape cache_shape(StorageFormat format) const;
  // F32 for checkpoints in floating formats, so that they compute what their makers' code computes; F16 where the weights
  // are quantised anyway.
  StorageFormat automatic_cache_format() const noexcept;
  // May attention to such a cache round to BF16? It does where there are instructions for that. F32 caches are for those who
  // want no rounding.
  bool attends_in_bf16(StorageFormat cache) const noexcept;
  std::int64_t moe_layers() const noexcept;
};

// Values of one position in all layers' caches.
std::int64_t cache_values_per_token(const Config& config);
// Can every part of a cache row be stored in blocks of so many values?
bool caches_in_blocks(const Config& config, std::int64_t values);

}  // namespace fathom::model
