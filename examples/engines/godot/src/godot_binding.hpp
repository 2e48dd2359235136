// A class for Godot, described as data: its methods, properties and signals by name, with values as C++ has them. What Godot's
// own C interface wants for that is behind this header.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "gdextension.hpp"

namespace godot {

using Object = gdextension::Object;
using Type = gdextension::VariantType;

// What crosses the border. The alternatives stand in the order of nil, boolean, integer, real, string.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

struct Argument {
  const char* name;
  Type type;
};

struct Method {
  std::string name;
  Type returns;
  std::vector<Argument> arguments;
  std::function<Value(void* instance, const std::vector<Value>& arguments)>
      call;  // as many and of the types that were declared
};

enum class Hint : std::uint32_t { none = 0, range = 1, file = 13, multiline = 18 };  // how the inspector edits a property

struct Property {
  const char* name;
  Type type;
  Hint hint;
  const char* hint_text;  // of a range "least,greatest,step", of a file "*.ending"
  std::function<Value(void* instance)> get;
  std::function<void(void* instance, const Value& value)> set;
};

struct Signal {
  const char* name;
  std::vector<Argument> arguments;
};

struct Class {
  const char* name;
  const char* parent;
  void* (*create)(Object object);
  void (*destroy)(void* instance);
  void (*notified)(void* instance, std::int32_t what);
  std::vector<Method> methods;
  std::vector<Property> properties;
  std::vector<Signal> signals;
};

// Fetches Godot's functions; false when this Godot lacks one of them. Before everything else, once.
bool connect(gdextension::GetProcAddress get, gdextension::Library library);

// The description is used until the class is unregistered. Godot prints what its functions throw.
void register_class(const Class& description);
void unregister_class(const Class& description);

// What a node may ask of Godot, on the main thread.
void emit(Object object, const char* signal, const std::vector<Value>& arguments);
void set_process_internal(Object node, bool on);      // whether the node is notified of each frame
std::string globalize_path(const std::string& path);  // res:// and user:// to the operating system's

constexpr std::int32_t kNotificationInternalProcess = 25;

}  // namespace godot
