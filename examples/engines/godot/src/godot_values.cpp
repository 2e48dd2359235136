#include "godot_values.hpp"

#include <type_traits>

namespace godot {

gdextension::Interface api;
gdextension::Library library;

bool connect(gdextension::GetProcAddress get, gdextension::Library handle) {
  library = handle;
  bool complete = true;
  const auto fetch = [&](auto& function, const char* name) {
    void (*const found)() = get(name);
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(reinterpret_cast<void*>(found));
    complete = complete && found != nullptr;
  };
  fetch(api.print_error, "print_error");
  fetch(api.string_new_with_utf8_chars_and_len2, "string_new_with_utf8_chars_and_len2");
  fetch(api.string_to_utf8_chars, "string_to_utf8_chars");
  fetch(api.string_name_new_with_latin1_chars, "string_name_new_with_latin1_chars");
  fetch(api.variant_get_ptr_destructor, "variant_get_ptr_destructor");
  fetch(api.get_variant_from_type_constructor, "get_variant_from_type_constructor");
  fetch(api.get_variant_to_type_constructor, "get_variant_to_type_constructor");
  fetch(api.variant_get_type, "variant_get_type");
  fetch(api.variant_destroy, "variant_destroy");
  fetch(api.classdb_construct_object, "classdb_construct_object2");
  fetch(api.object_set_instance, "object_set_instance");
  fetch(api.global_get_singleton, "global_get_singleton");
  fetch(api.classdb_get_method_bind, "classdb_get_method_bind");
  fetch(api.object_method_bind_call, "object_method_bind_call");
  fetch(api.object_method_bind_ptrcall, "object_method_bind_ptrcall");
  fetch(api.classdb_register_extension_class, "classdb_register_extension_class4");
  fetch(api.classdb_register_extension_class_method, "classdb_register_extension_class_method");
  fetch(api.classdb_register_extension_class_property, "classdb_register_extension_class_property");
  fetch(api.classdb_register_extension_class_signal, "classdb_register_extension_class_signal");
  fetch(api.classdb_unregister_extension_class, "classdb_unregister_extension_class");
  return complete;
}

std::string text_of(const void* string) {
  std::string text(std::size_t(api.string_to_utf8_chars(string, nullptr, 0)), '\0');
  api.string_to_utf8_chars(string, text.data(), std::int64_t(text.size()));
  return text;
}

Value from_plain(Type type, const void* value) {
  switch (type) {
    case Type::boolean:
      return *static_cast<const gdextension::Bool*>(value) != 0;
    case Type::integer:
      return *static_cast<const std::int64_t*>(value);
    case Type::real:
      return *static_cast<const double*>(value);
    case Type::string:
      return text_of(value);
    default:
      return {};
  }
}

Value from_variant(Type type, const void* variant) {
  alignas(8) unsigned char plain[8] = {};
  api.get_variant_to_type_constructor(type)(plain, const_cast<void*>(variant));
  const Value value = from_plain(type, plain);
  if (type == Type::string) api.variant_get_ptr_destructor(Type::string)(plain);
  return value;
}

}  // namespace godot
