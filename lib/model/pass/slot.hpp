// An object of any type, owned: what a mechanism keeps of a layer, and what it keeps for a pass.
#pragma once

#include <memory>
#include <utility>

namespace fathom::model {

// Whoever reads a slot knows its type: the mechanism that filled it.
class Slot {
 public:
  template <typename T>
  T& emplace() {
    object_ = Owned(new T(), [](void* object) { delete static_cast<T*>(object); });
    return get<T>();
  }
  template <typename T>
  T& get() noexcept {
    return *static_cast<T*>(object_.get());
  }
  template <typename T>
  const T& get() const noexcept {
    return *static_cast<const T*>(object_.get());
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  using Owned = std::unique_ptr<void, void (*)(void*)>;
  Owned object_{nullptr, [](void*) {}};
};

}  // namespace fathom::model
