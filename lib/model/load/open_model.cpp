#include "model/load/open_model.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "model/families/family.hpp"
#include "model/load/bring_in_weights.hpp"
#include "model/load/checkpoint_texts.hpp"
#include "model/load/place_weights.hpp"
#include "platform/memory_policy.hpp"
#include "platform/unmapped_files.hpp"

namespace fathom::model {
namespace {

constexpr double kReadShare = 0.9;    // of the progress reported, where files are read whole
constexpr double kLayoutShare = 0.1;  // of the rest

// While matrices are placed, the file's pages and the new memory are both in use, though the system can drop the former.
constexpr double kPlaceShare = 0.6;  // of the machine's memory, that a model may be large

bool fits_twice(const io::TensorSource& tensors) {
  return double(tensors.total_bytes()) <= kPlaceShare * double(physical_memory_bytes());
}

LoadOptions decide(const io::TensorSource& tensors, LoadOptions options) {
  options.place = options.bring_in && fits_twice(tensors);
  return options;
}

using Progress = std::function<bool(double done, std::string_view what)>;

// The part of a progress from `first` to `last`.
Progress part_of(const Progress& whole, double first, double last) {
  if (!whole) return {};
  return [&whole, first, last](double done, std::string_view what) { return whole(first + (last - first) * done, what); };
}

// What is placed, as products read it.
std::vector<WeightView> placed_matrices(const std::vector<Placement>& placements) {
  std::vector<WeightView> matrices;
  for (const Placement& placement : placements) {
    WeightView& matrix = matrices.emplace_back(placement.stored);
    matrix.stored.data = placement.out;
    matrix.stored.interleaved = placement.interleave != nullptr;
  }
  return matrices;
}

std::int64_t count_parameters(const io::TensorSource& tensors) {
  std::int64_t values = 0;
  for (const io::TensorInfo& tensor : tensors.tensors()) values += tensor.values();
  return values;
}

io::Checkpoint open_checkpoint(const std::string& path, FileSystem& files, const LoadOptions& options) {
  if (!options.read) return io::open_checkpoint(files, path);
  UnmappedFiles unmapped(files);
  return io::open_checkpoint(unmapped, path);
}

// Reads what is not mapped. Returns the share of the progress that this was.
double read_files(io::TensorSource& tensors, Allocator& allocator, const LoadOptions& options) {
  bool all_mapped = true;
  for (std::uint32_t part = 0; part < tensors.parts(); ++part) all_mapped = all_mapped && tensors.is_mapped(part);
  if (all_mapped) return 0;
  const Progress progress = part_of(options.progress, 0, kReadShare);
  std::function<bool(double done)> report;
  if (progress) report = [&](double done) { return progress(done, "reading files"); };
  tensors.read_unmapped(allocator, options.readers, report);
  return kReadShare;
}

std::vector<std::uint64_t> mapped_ends(const io::TensorSource& tensors, const std::vector<Placement>& placements) {
  std::vector<std::span<const std::byte>> moved;
  for (const Placement& matrix : placements) {
    moved.push_back({reinterpret_cast<const std::byte*>(matrix.stored.stored.data), std::size_t(matrix.stored.bytes())});
  }
  return tensors.mapped_ends(moved);
}

}  // namespace

OpenedModel open_model(const std::string& path, FileSystem& files, std::shared_ptr<const Engine> of_runtime,
                       Allocator& allocator, const LoadOptions& given) {
  const std::shared_ptr<Engine> engine = of_runtime->for_model();
  OpenedModel opened;
  opened.checkpoint = open_checkpoint(path, files, given);
  const Family& family = find_family(opened.checkpoint);
  opened.parameters = count_parameters(*opened.checkpoint.tensors);
  opened.weight_bytes = std::int64_t(opened.checkpoint.tensors->total_bytes());
  LoadOptions options = given;
  options.progress = part_of(given.progress, read_files(*opened.checkpoint.tensors, allocator, given), 1.0);
  opened.texts = collect_texts(opened.checkpoint);
  auto network = std::make_shared<Network>();
  network->engine = engine;
  network->config = read_config(opened.checkpoint, family, &opened.unknown_keys);
  // Faults are found before gigabytes are read.
  LoadOptions laying_out = decide(*opened.checkpoint.tensors, options);
  if (options.bring_in) laying_out.progress = part_of(options.progress, 0.0, kLayoutShare);
  LoadedWeights loaded = load_network(opened.checkpoint, family, allocator, laying_out, *network);
  const std::vector<Placement>& placements = loaded.placements;
  opened.unused_tensors = std::move(loaded.unused);
  if (options.bring_in) {
    const io::TensorSource& stored = *network->stored;
    double bytes = 0;
    for (const Placement& matrix : placements) bytes += double(matrix.stored.bytes());
    const double share = bytes / std::max(double(stored.total_bytes()), 1.0), middle = 1.0 - (1.0 - kLayoutShare) * share;
    bring_in_weights(stored, placements, *options.bring_in, part_of(options.progress, kLayoutShare, middle));
    place_weights(stored, placements, *options.bring_in, part_of(options.progress, middle, 1.0));
    engine->choose_streams(placed_matrices(placements), *options.bring_in);
  }
  opened.mapped_ends = mapped_ends(*network->stored, placements);
  network->stored->check_files(opened.mapped_ends);
  opened.network = std::move(network);
  return opened;
}

ModelHeader inspect_model(const std::string& path, FileSystem& files, std::shared_ptr<const Engine> engine) {
  ModelHeader header;
  header.checkpoint = io::open_checkpoint(files, path);
  try {
    const Family& family = find_family(header.checkpoint);
    auto network = std::make_shared<Network>();
    network->engine = std::move(engine);
    network->config = header.config = read_config(header.checkpoint, family);
    check_network(header.checkpoint, family, {}, *network);
    header.network = std::move(network);
    header.runs = true;
  } catch (const Error& error) {
    header.reason = error.message();
  }
  return header;
}

LoadNeeds measure_model(const std::string& path, FileSystem& files, std::shared_ptr<const Engine> engine,
                        const LoadOptions& options) {
  const io::Checkpoint checkpoint = open_checkpoint(path, files, options);
  const Family& family = find_family(checkpoint);
  Network network;
  network.engine = std::move(engine);
  network.config = read_config(checkpoint, family);
  LoadNeeds needs;
  const LoadBytes taken = check_network(checkpoint, family, decide(*checkpoint.tensors, options), network).bytes;
  needs.weights_bytes = taken.owned;
  needs.mapped_bytes = -taken.released;
  for (std::uint32_t part = 0; part < checkpoint.tensors->parts(); ++part) {
    const std::int64_t bytes = std::int64_t(checkpoint.tensors->part(part).size());
    (checkpoint.tensors->is_mapped(part) ? needs.mapped_bytes : needs.weights_bytes) += bytes;
  }
  return needs;
}

}  // namespace fathom::model
