// One tensor of a checkpoint at a time: found by name, checked against the configuration, viewed where it lies.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "backend/select.hpp"
#include "io/open.hpp"
#include "model/config/config.hpp"
#include "model/tensors/load_options.hpp"
#include "model/tensors/tensor_name.hpp"
#include "nn/linear.hpp"

namespace fathom::model {

// With a null allocator it runs dry: names, shapes and formats are checked, nothing is read, and what it returns has no data.
// Every function throws Error{corrupt_file} or Error{unsupported} naming the tensor.
class TensorLoader {
 public:
  TensorLoader(const io::Checkpoint& from, std::span<const OtherName> names, const Config& expected, const Engine& engine,
               Allocator* allocator, const LoadOptions& load)
      : checkpoint(from),
        config(expected),
        options(load),
        tensors_(*from.tensors),
        names_(names),
        engine_(engine),
        allocator_(allocator),
        used_(from.tensors->tensors().size()) {}

  bool dry() const { return allocator_ == nullptr; }
  bool in_gguf() const { return checkpoint.container == io::Container::gguf; }
  // Empty where the container has no such tensor.
  std::string name(const TensorName& name, std::int64_t layer = 0, std::int64_t expert = 0) const {
    return tensor_name(names_, checkpoint.container, name, layer, expert);
  }
  const io::TensorInfo* find(const std::string& tensor) const { return tensor.empty() ? nullptr : tensors_.find(tensor); }
  const io::TensorInfo& require(const std::string& tensor) const;
  void expect_shape(const io::TensorInfo& tensor, std::initializer_list<std::int64_t> shape) const;
  std::string describe(const io::TensorInfo& tensor) const { return tensors_.describe(tensor); }
  // The tensor's bytes; it counts as used.
  std::span<const std::byte> read(const io::TensorInfo& tensor);
  // Another tensor says the same: this one counts as used.
  void pass_over(const std::string& tensor);

  // Vectors, as F32.
  const float* vector(const std::string& tensor, std::int64_t size);
  // Null when it is missing.
  const float* optional_vector(const std::string& tensor, std::int64_t size);
  // Part `index` of a [parts, width] tensor: `size` values, every `step`-th from `first`.
  const float* stacked_vector(const std::string& tensor, std::int64_t parts, std::int64_t index, std::int64_t width,
                              std::int64_t first, std::int64_t step, std::int64_t size);

  // The tensor's values as rows x cols, however many dimensions they are written in.
  WeightView view(const io::TensorInfo& tensor, std::int64_t rows, std::int64_t cols);
  // A [rows, cols] tensor with the factors that FP8 needs.
  WeightView matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols);
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

  // With the back ends that Engine::choose gives it.
  nn::Linear linear(const WeightView& weights, const float* bias = nullptr, RowCounts rows = RowCounts::any);
  // The tensor X.weight with X.bias: required where `bias` says so; in GGUF files, whose configuration does not speak of
  // biases, used wherever it is.
  nn::Linear linear(const std::string& weight, std::int64_t rows, std::int64_t cols, bool bias = false,
                    RowCounts counts = RowCounts::any);
  nn::Linear linear(const TensorName& weight, std::int64_t layer, std::int64_t rows, std::int64_t cols, bool bias = false,
                    RowCounts counts = RowCounts::any) {
    return linear(name(weight, layer), rows, cols, bias, counts);
  }
  // The bias beside X.weight, or null.
  const float* bias_of(const std::string& weight, std::int64_t rows, bool required);

  // Tensors that nothing took, in file order.
  std::vector<const io::TensorInfo*> unused() const;
  // What was taken, or what a dry run would have taken.
  const LoadBytes& bytes() const { return bytes_; }
  std::vector<Buffer> take_owned() { return std::move(owned_); }
  std::vector<Placement> take_placements() { return std::move(placements_); }

  const io::Checkpoint& checkpoint;
  const Config& config;
  const LoadOptions& options;

 private:
  std::size_t index_of(const io::TensorInfo& tensor) const { return std::size_t(&tensor - tensors_.tensors().data()); }
  void use(const io::TensorInfo& tensor) { used_[index_of(tensor)] = true; }
  // Null on a dry run.
  std::byte* own(std::size_t bytes);
  void attach_factors(const io::TensorInfo& tensor, WeightView& view);

  const io::TensorSource& tensors_;
  std::span<const OtherName> names_;
  const Engine& engine_;
  Allocator* allocator_;
  std::vector<bool> used_;  // as tensors_.tensors()
  std::vector<Buffer> owned_;
  std::vector<Placement> placements_;
  std::uint8_t* reserved_ = nullptr;  // what is left of it
  LoadBytes bytes_;
};

}  // namespace fathom::model
