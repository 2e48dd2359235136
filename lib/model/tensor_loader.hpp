// One tensor of a checkpoint at a time: found by role, checked against the configuration, viewed where it lies.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "io/open.hpp"
#include "model/families.hpp"
#include "model/loader.hpp"
#include "model/weights.hpp"

namespace fathom::model {

// With a null allocator it runs dry: nothing is read or allocated, only names, shapes and formats are checked, and what it
// returns is empty. Every function throws Error{corrupt_file} or Error{unsupported} naming the tensor.
class TensorLoader {
 public:
  TensorLoader(const io::Checkpoint& from, const Family& family, const Config& expected, const Backends& backends,
               Allocator* allocator, const LoadOptions& load)
      : checkpoint(from),
        config(expected),
        options(load),
        tensors_(*from.tensors),
        family_(family),
        backends_(backends),
        allocator_(allocator) {}

  bool dry() const { return allocator_ == nullptr; }
  std::string name(Role role, std::int64_t layer, std::int64_t expert = 0) const {
    return tensor_name(family_, checkpoint.container, role, layer, expert);
  }
  const io::TensorInfo* find(const std::string& tensor) const { return tensor.empty() ? nullptr : tensors_.find(tensor); }
  const io::TensorInfo& require(const std::string& tensor) const;
  void expect_shape(const io::TensorInfo& tensor, std::initializer_list<std::int64_t> shape) const;
  std::string describe(const io::TensorInfo& tensor) const { return tensors_.describe(tensor); }
  std::span<const std::byte> read(const io::TensorInfo& tensor) const { return tensors_.bytes(tensor); }

  // Vectors, as F32.
  const float* vector(const std::string& tensor, std::int64_t size);
  // Null when it is missing.
  const float* optional_vector(const std::string& tensor, std::int64_t size);
  // Part `index` of a [parts, width] tensor: `size` values, every `step`-th from `first`.
  const float* stacked_vector(const std::string& tensor, std::int64_t parts, std::int64_t index, std::int64_t width,
                              std::int64_t first, std::int64_t step, std::int64_t size);

  // The tensor's values as rows x cols, however many dimensions they are written in.
  WeightView view(const io::TensorInfo& tensor, std::int64_t rows, std::int64_t cols) const;
  // A [rows, cols] tensor with the factors that FP8 needs.
  WeightView matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols) const;
  // Expert `expert` of a [experts, cols, step * rows] tensor, columns first, first + step, ..., turned into rows. A copy in
  // the stored format: the one case where a layout does not serve as it is.
  WeightView transposed_copy(const io::TensorInfo& tensor, std::int64_t expert, std::int64_t rows, std::int64_t cols,
                             std::int64_t first, std::int64_t step);

  // Takes memory for all matrices that place() will place, `bytes` as a dry run counts them. One block: a matrix alone would
  // share its first and last large page with others, and get small ones there, where reading is slower.
  void reserve(std::int64_t bytes);
  // The tensor's matrix (or a stack of matrices of `rows` rows each) in the memory reserved, where options.place says so and
  // the file gives its pages back in exchange; interleaved if products gain by that, unless it is wanted as stored.
  enum class Order { fastest, as_stored };
  WeightView place(const io::TensorInfo& tensor, const WeightView& whole, std::int64_t rows, Order order = Order::fastest);
  // matrix(), placed.
  WeightView placed_matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols, Order order = Order::fastest);

  // `few_only`: one back end for every row count.
  nn::Linear linear(const WeightView& weights, const float* bias = nullptr, bool few_only = false);
  nn::Linear linear(Role role, std::int64_t layer, std::int64_t rows, std::int64_t cols, bool bias = false);
  GatedMlp mlp(Role gate, Role up, Role down, std::int64_t layer, std::int64_t width);

  // What was taken, or what a dry run would have taken.
  const LoadBytes& bytes() const { return bytes_; }
  std::vector<Buffer> take_owned() { return std::move(owned_); }
  std::vector<Placement> take_placements() { return std::move(placements_); }

  const io::Checkpoint& checkpoint;
  const Config& config;
  const LoadOptions& options;

 private:
  // Null on a dry run.
  std::byte* own(std::size_t bytes);
  void attach_factors(const io::TensorInfo& tensor, WeightView& view) const;

  const io::TensorSource& tensors_;
  const Family& family_;
  const Backends& backends_;
  Allocator* allocator_;
  std::vector<Buffer> owned_;
  std::vector<Placement> placements_;
  std::uint8_t* reserved_ = nullptr;  // what is left of it
  LoadBytes bytes_;
};

// loader_experts.cpp
void load_experts(TensorLoader& loader, std::int64_t layer, ExpertWeights& out);

}  // namespace fathom::model
