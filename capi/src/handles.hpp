// What the opaque handles point to: a shell that knows whether it is in use or released, around an object of the C++ API.
//
// A shell outlives its release by a while: it is buried with the host's hooks, which keep the last few hundred. So a released
// handle that is used again is recognised as one, as long as anything made from the same runtime is alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "guard.hpp"

namespace capi {

class Host;

enum class Kind : std::uint32_t { runtime = 0x6e757266, model = 0x6c646f6d, session = 0x73736573, batch = 0x68637462 };

struct Shell {
  explicit Shell(Kind kind_) : kind(kind_) {}
  virtual ~Shell() = default;
  // Destroys what the shell is around.
  virtual void empty() noexcept = 0;

  const Kind kind;
  std::shared_ptr<Host> host;  // null once emptied
  // Calls under way: readers below kWriter; kReleased when the reference was given back, maybe in the middle of a call.
  mutable std::atomic<std::uint32_t> uses{0};

  static constexpr std::uint32_t kWriter = 1u << 16;
  static constexpr std::uint32_t kReleased = 1u << 31;
};

// Empties the shell and buries it.
void bury(Shell* shell) noexcept;
// Gives the reference back: now, or when the last call under way ends. Nothing for NULL and for what is released already.
void release(Shell* shell) noexcept;

enum class Access { read, write };

// Marks the shell as used. Throws invalid_argument when it is NULL, released or of another kind, and wrong_state when the use
// does not go together with one that is under way.
void begin_use(const Shell* shell, Kind kind, const char* name, Access access);
void end_use(const Shell* shell, Access access) noexcept;

template <typename Content_, Kind kKind>
struct Handle : Shell {
  using Content = Content_;
  explicit Handle(std::unique_ptr<Content> content_) : Shell(kKind), content(std::move(content_)) {}
  void empty() noexcept override { content.reset(); }

  std::unique_ptr<Content> content;
};

// A handle in use for as long as this lives.
template <typename Content, Access kAccess>
class Use {
 public:
  template <Kind kKind>
  Use(const Handle<Content, kKind>* handle, const char* name) : shell_(handle) {
    begin_use(handle, kKind, name, kAccess);
    content_ = handle->content.get();
  }
  Use(Use&& other) noexcept : shell_(std::exchange(other.shell_, nullptr)), content_(other.content_) {}
  Use& operator=(Use&&) = delete;
  ~Use() {
    if (shell_ != nullptr) end_use(shell_, kAccess);
  }

  using Seen = std::conditional_t<kAccess == Access::read, const Content, Content>;
  Seen& operator*() const noexcept { return *content_; }
  Seen* operator->() const noexcept { return content_; }
  const std::shared_ptr<Host>& host() const noexcept { return shell_->host; }

 private:
  const Shell* shell_;
  Content* content_ = nullptr;
};

template <typename Content, Kind kKind>
Use<Content, Access::read> read(const Handle<Content, kKind>* handle, const char* name) {
  return {handle, name};
}
template <typename Content, Kind kKind>
Use<Content, Access::write> write(Handle<Content, kKind>* handle, const char* name) {
  return {handle, name};
}

// A new handle of the given type around `content`.
template <typename Type>
Type* make_handle(std::shared_ptr<Host> host, std::unique_ptr<typename Type::Content> content) {
  auto* handle = new Type(std::move(content));
  handle->host = std::move(host);
  return handle;
}

}  // namespace capi
