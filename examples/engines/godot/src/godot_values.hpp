// Godot's strings, names and variants as owning C++ objects, and the way between them and ours. For godot_binding.cpp.
#pragma once

#include "godot_binding.hpp"

namespace godot {

extern gdextension::Interface api;  // filled by connect()
extern gdextension::Library library;

class Name {  // StringName
 public:
  explicit Name(const char* text) { api.string_name_new_with_latin1_chars(&storage_, text, 0); }
  ~Name() { api.variant_get_ptr_destructor(Type::string_name)(&storage_); }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  void* get() { return &storage_; }

 private:
  void* storage_ = nullptr;
};

class String {
 public:
  explicit String(const std::string& text = {}) {
    api.string_new_with_utf8_chars_and_len2(&storage_, text.data(), std::int64_t(text.size()));
  }
  ~String() { api.variant_get_ptr_destructor(Type::string)(&storage_); }
  String(const String&) = delete;
  String& operator=(const String&) = delete;
  void* get() { return &storage_; }

 private:
  void* storage_ = nullptr;
};

std::string text_of(const void* string);

// A value as compiled code passes it (bool, int64_t, double, String).
Value from_plain(Type type, const void* value);

// Calls use(pointer to the plain value), which may write to it and must not keep it.
template <typename Use>
void with_plain(Value value, Use use) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    gdextension::Bool plain = *flag;
    use(&plain);
  } else if (auto* integer = std::get_if<std::int64_t>(&value)) {
    use(integer);
  } else if (auto* real = std::get_if<double>(&value)) {
    use(real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    use(String(*text).get());
  }
}

class Variant {
 public:
  Variant() = default;
  Variant(Type type, void* plain) { api.get_variant_from_type_constructor(type)(storage_, plain); }
  explicit Variant(const Value& value) {
    with_plain(value, [&](void* plain) { api.get_variant_from_type_constructor(Type(value.index()))(storage_, plain); });
  }
  ~Variant() { api.variant_destroy(storage_); }
  Variant(const Variant&) = delete;
  Variant& operator=(const Variant&) = delete;
  void* get() { return storage_; }

 private:
  alignas(8) unsigned char storage_[40] = {};  // 24 in a Godot with float coordinates; all zero is nil
};

// The variant's value as this type, into which Godot turns it.
Value from_variant(Type type, const void* variant);

}  // namespace godot
