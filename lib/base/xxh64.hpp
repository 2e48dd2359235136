// XXH64, a fast hash with a published definition (Yann Collet, xxHash fast digest algorithm, section XXH64): finds damage, does
// not resist forgery.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace fathom {

class Xxh64 {
 public:
  explicit Xxh64(std::uint64_t seed = 0) noexcept
      : seed_(seed), lanes_{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1} {}

  void update(std::span<const std::byte> bytes) noexcept {
    total_ += bytes.size();
    while (!bytes.empty()) {
      if (held_ == 0 && bytes.size() >= sizeof stripe_) {
        take_stripe(bytes.data());
        bytes = bytes.subspan(sizeof stripe_);
        continue;
      }
      const std::size_t taken = bytes.size() < sizeof stripe_ - held_ ? bytes.size() : sizeof stripe_ - held_;
      std::memcpy(stripe_ + held_, bytes.data(), taken);
      held_ += taken;
      bytes = bytes.subspan(taken);
      if (held_ == sizeof stripe_) {
        take_stripe(stripe_);
        held_ = 0;
      }
    }
  }

  // Of all bytes so far; more may follow.
  std::uint64_t digest() const noexcept {
    std::uint64_t h = seed_ + kPrime5;
    if (total_ >= sizeof stripe_) {
      h = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
      for (const std::uint64_t lane : lanes_) h = (h ^ round(0, lane)) * kPrime1 + kPrime4;
    }
    h += total_;
    const std::byte* at = stripe_;
    std::size_t left = held_;
    for (; left >= 8; at += 8, left -= 8) h = std::rotl(h ^ round(0, load<std::uint64_t>(at)), 27) * kPrime1 + kPrime4;
    if (left >= 4) {
      h = std::rotl(h ^ (load<std::uint32_t>(at) * kPrime1), 23) * kPrime2 + kPrime3;
      at += 4, left -= 4;
    }
    for (; left > 0; ++at, --left) h = std::rotl(h ^ (std::uint64_t(*at) * kPrime5), 11) * kPrime1;
    h = (h ^ (h >> 33)) * kPrime2;
    h = (h ^ (h >> 29)) * kPrime3;
    return h ^ (h >> 32);
  }

 private:
  static constexpr std::uint64_t kPrime1 = 0x9e3779b185ebca87u, kPrime2 = 0xc2b2ae3d27d4eb4fu, kPrime3 = 0x165667b19e3779f9u,
                                 kPrime4 = 0x85ebca77c2b2ae63u, kPrime5 = 0x27d4eb2f165667c5u;

  static std::uint64_t round(std::uint64_t lane, std::uint64_t input) noexcept {
    return std::rotl(lane + input * kPrime2, 31) * kPrime1;
  }
  template <typename T>
  static std::uint64_t load(const std::byte* at) noexcept {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  void take_stripe(const std::byte* at) noexcept {
    for (int i = 0; i < 4; ++i) lanes_[i] = round(lanes_[i], load<std::uint64_t>(at + 8 * i));
  }

  std::uint64_t seed_;
  std::uint64_t lanes_[4];
  std::uint64_t total_ = 0;
  std::byte stripe_[32];
  std::size_t held_ = 0;  // bytes in stripe_
};

}  // namespace fathom
