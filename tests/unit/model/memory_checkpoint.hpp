// A fixture's checkpoint in memory, whose parts a test may change before it is opened.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "io/open.hpp"
#include "platform/os_file_system.hpp"
#include "support/memory_files.hpp"
#include "support/safetensors_writer.hpp"

namespace fathom::test {

inline std::string fixture_folder(std::string_view model) { return std::string(FATHOM_TEST_DATA "/").append(model); }

struct MemoryCheckpoint {
  struct Tensor {
    std::string name, type;
    std::vector<std::int64_t> shape;
    std::string bytes;
  };

  explicit MemoryCheckpoint(std::string_view model) {
    const std::string folder = fixture_folder(model);
    const auto file = os_file_system().open(folder + "/config.json");
    config.resize(std::size_t(file->size()));
    file->read_at(0, std::as_writable_bytes(std::span(config)));
    const io::Checkpoint checkpoint = io::open_checkpoint(os_file_system(), folder);
    for (const io::TensorInfo& info : checkpoint.tensors->tensors()) {
      const auto bytes = checkpoint.tensors->bytes(info);
      tensors.push_back({info.name, info.type_name, info.shape, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
    }
  }

  Tensor& tensor(std::string_view name) {
    for (Tensor& one : tensors) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("the fixture has no tensor " + std::string(name));
  }
  void remove(std::string_view name) {
    tensor(name);
    std::erase_if(tensors, [&](const Tensor& one) { return one.name == name; });
  }
  void replace_in_config(std::string_view from, std::string_view to) {
    const std::size_t at = config.find(from);
    if (at == std::string::npos) throw std::runtime_error("the fixture's configuration does not say " + std::string(from));
    config.replace(at, from.size(), to);
  }

  // The folder "m" of a file system of its own.
  MemoryFileSystem files() const {
    MemoryFileSystem out;
    SafetensorsWriter writer;
    for (const Tensor& one : tensors) writer.add(one.name, one.type, one.shape, one.bytes);
    out.put("m/config.json", config);
    out.put("m/model.safetensors", writer.finish());
    return out;
  }

  std::string config;
  std::vector<Tensor> tensors;
};

}  // namespace fathom::test
