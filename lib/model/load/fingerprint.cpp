#include "model/load/fingerprint.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/xxh64.hpp"

namespace fathom::model {
namespace {

constexpr std::size_t kSampledBytes = 256;

// The same bytes into four hashes.
class Print {
 public:
  void add(std::span<const std::byte> bytes) noexcept {
    for (Xxh64& hash : hashes_) hash.update(bytes);
  }
  void add(std::uint64_t number) noexcept { add(std::as_bytes(std::span(&number, 1))); }
  void add(const std::string& text) noexcept {
    add(std::uint64_t(text.size()));
    add(std::as_bytes(std::span(text)));
  }
  std::array<std::uint8_t, 32> words() const noexcept {
    std::array<std::uint8_t, 32> out;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint64_t word = hashes_[i].digest();
      std::memcpy(out.data() + 8 * i, &word, sizeof word);
    }
    return out;
  }

 private:
  std::array<Xxh64, 4> hashes_{Xxh64(0), Xxh64(1), Xxh64(2), Xxh64(3)};
};

}  // namespace

std::array<std::uint8_t, 32> fingerprint(const Network& network) {
  Print print;
  print.add(network.config.family);
  for (const auto& [name, value] : describe(network.config)) {
    print.add(name);
    print.add(value);
  }
  for (const std::vector<double>& frequencies : network.rope_frequencies) print.add(std::as_bytes(std::span(frequencies)));
  const io::TensorSource& stored = *network.stored;
  std::vector<const io::TensorInfo*> tensors;
  for (const io::TensorInfo& tensor : stored.tensors()) tensors.push_back(&tensor);
  std::sort(tensors.begin(), tensors.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (const io::TensorInfo* tensor : tensors) {
    print.add(tensor->name);
    print.add(tensor->type_name);
    for (const std::int64_t side : tensor->shape) print.add(std::uint64_t(side));
    const std::span<const std::byte> bytes = stored.bytes(*tensor);
    const std::size_t sample = std::min(bytes.size(), kSampledBytes);
    print.add(std::uint64_t(bytes.size()));
    print.add(bytes.first(sample));
    print.add(bytes.last(sample));
  }
  return print.words();
}

}  // namespace fathom::model
