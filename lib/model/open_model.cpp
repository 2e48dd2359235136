#include "model/open_model.hpp"

#include "base/error.hpp"
#include "model/bring_in_weights.hpp"
#include "model/checkpoint_texts.hpp"
#include "model/families.hpp"
#include "nn/rope.hpp"

namespace fathom::model {
namespace {

Config read_config(const io::Checkpoint& checkpoint, const Family& family) {
  Config config = family.read_config(checkpoint);
  validate(config, checkpoint.path);
  return config;
}

constexpr double kLayoutShare = 0.1;  // of the progress reported

std::int64_t count_parameters(const io::TensorSource& tensors) {
  std::int64_t values = 0;
  for (const io::TensorInfo& tensor : tensors.tensors()) values += tensor.values();
  return values;
}

}  // namespace

OpenedModel open_model(const std::string& path, FileSystem& files, std::shared_ptr<const Engine> engine, Allocator& allocator,
                       const LoadOptions& options) {
  OpenedModel opened;
  opened.checkpoint = io::open_checkpoint(files, path);
  const Family& family = find_family(opened.checkpoint);
  opened.parameters = count_parameters(*opened.checkpoint.tensors);
  opened.weight_bytes = std::int64_t(opened.checkpoint.tensors->total_bytes());
  opened.checkpoint.tensors->read_unmapped(allocator);
  opened.texts = collect_texts(opened.checkpoint);
  auto network = std::make_shared<Network>();
  network->config = read_config(opened.checkpoint, family);
  const Backends backends{engine->native.get(), engine->onednn.get()};
  // Faults are found before gigabytes are read.
  LoadOptions laying_out = options, reading = options;
  if (options.bring_in && options.progress) {
    laying_out.progress = [&](double done, std::string_view what) { return options.progress(kLayoutShare * done, what); };
    reading.progress = [&](double done, std::string_view what) { return options.progress(kLayoutShare + (1.0 - kLayoutShare) * done, what); };
  }
  network->weights = load_weights(opened.checkpoint, family, network->config, backends, allocator, laying_out);
  if (options.bring_in) bring_in_weights(*network->weights.stored, *options.bring_in, reading.progress);
  network->rope_frequencies = nn::rope_frequencies(network->config.rope);
  network->body = plan_body(network->config);
  network->head = plan_head();
  network->engine = std::move(engine);
  opened.network = std::move(network);
  return opened;
}

ModelHeader inspect_model(const std::string& path, FileSystem& files) {
  ModelHeader header;
  header.checkpoint = io::open_checkpoint(files, path);
  try {
    const Family& family = find_family(header.checkpoint);
    header.config = read_config(header.checkpoint, family);
    check_tensors(header.checkpoint, family, header.config);
    header.runs = true;
  } catch (const Error& error) {
    header.reason = error.message();
  }
  return header;
}

LoadNeeds measure_model(const std::string& path, FileSystem& files) {
  const io::Checkpoint checkpoint = io::open_checkpoint(files, path);
  const Family& family = find_family(checkpoint);
  LoadNeeds needs;
  needs.weights_bytes = check_tensors(checkpoint, family, read_config(checkpoint, family));
  for (std::uint32_t part = 0; part < checkpoint.tensors->parts(); ++part) {
    const std::int64_t bytes = std::int64_t(checkpoint.tensors->part(part).size());
    (checkpoint.tensors->is_mapped(part) ? needs.mapped_bytes : needs.weights_bytes) += bytes;
  }
  return needs;
}

}  // namespace fathom::model
