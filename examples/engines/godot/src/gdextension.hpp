// What this extension uses of Godot 4's GDExtension interface: the C types and functions, in our own words, so that building
// needs neither Godot nor its bindings. tests/examples/godot compares each of them with the header that a Godot writes of
// itself (godot --dump-gdextension-interface). All of it has been there since Godot 4.4.
#pragma once

#include <cstdint>

namespace gdextension {

// Strings, names and variants are storage of ours that Godot fills and clears; where a comment says "unset", it must be empty
// before.
using Object = void*;
using Library = void*;
using Instance = void*;  // of our class
using MethodBind = const void*;
using Bool = std::uint8_t;

enum class VariantType : std::uint32_t { nil = 0, boolean = 1, integer = 2, real = 3, string = 4, string_name = 21 };
enum class CallErrorType : std::uint32_t { ok = 0, invalid_argument = 2, too_many_arguments = 3, too_few_arguments = 4 };
enum class Level : std::uint32_t { core = 0, servers = 1, scene = 2, editor = 3 };
enum class ArgumentMetadata : std::uint32_t { none = 0 };

constexpr std::uint32_t kMethodDefault = 1;  // a method flag

struct CallError {
  CallErrorType error;
  std::int32_t argument;  // which one
  std::int32_t expected;  // its VariantType, or how many
};

struct PropertyInfo {
  VariantType type;
  void* name;        // StringName
  void* class_name;  // StringName
  std::uint32_t hint;
  void* hint_string;  // String
  std::uint32_t usage;
};

struct ClassCreationInfo {
  Bool is_virtual;
  Bool is_abstract;
  Bool is_exposed;
  Bool is_runtime;  // the editor shows the class, and does not run it
  const void* icon_path;
  Bool (*set_func)(Instance, const void* name, const void* value);
  Bool (*get_func)(Instance, const void* name, void* value);
  const PropertyInfo* (*get_property_list_func)(Instance, std::uint32_t* count);
  void (*free_property_list_func)(Instance, const PropertyInfo*, std::uint32_t count);
  Bool (*property_can_revert_func)(Instance, const void* name);
  Bool (*property_get_revert_func)(Instance, const void* name, void* value);
  Bool (*validate_property_func)(Instance, PropertyInfo*);
  void (*notification_func)(Instance, std::int32_t what, Bool reversed);
  void (*to_string_func)(Instance, Bool* valid, void* string);
  void (*reference_func)(Instance);
  void (*unreference_func)(Instance);
  Object (*create_instance_func)(void* class_userdata, Bool notify_postinitialize);
  void (*free_instance_func)(void* class_userdata, Instance);
  Instance (*recreate_instance_func)(void* class_userdata, Object);
  void (*(*get_virtual_func)(void* class_userdata, const void* name, std::uint32_t hash))(Instance, const void* const*, void*);
  void* (*get_virtual_call_data_func)(void* class_userdata, const void* name, std::uint32_t hash);
  void (*call_virtual_with_data_func)(Instance, const void* name, void* data, const void* const* arguments, void* result);
  void* class_userdata;
};

struct ClassMethodInfo {
  void* name;
  void* method_userdata;
  // With variants, as scripts call; with plain values (bool, int64_t, double, String), as compiled code does.
  void (*call_func)(void* userdata, Instance, const void* const* variants, std::int64_t count, void* result, CallError*);
  void (*ptrcall_func)(void* userdata, Instance, const void* const* values, void* result);
  std::uint32_t method_flags;
  Bool has_return_value;
  PropertyInfo* return_value_info;
  ArgumentMetadata return_value_metadata;
  std::uint32_t argument_count;
  PropertyInfo* arguments_info;
  ArgumentMetadata* arguments_metadata;
  std::uint32_t default_argument_count;
  void** default_arguments;
};

struct Initialization {
  Level minimum_initialization_level;
  void* userdata;
  void (*initialize)(void* userdata, Level);
  void (*deinitialize)(void* userdata, Level);
};

using GetProcAddress = void (*(*)(const char* name))();

// The functions, each asked for by the member's name but for two that carry a number.
struct Interface {
  void (*print_error)(const char* text, const char* function, const char* file, std::int32_t line, Bool notify_editor);

  std::int64_t (*string_new_with_utf8_chars_and_len2)(void* unset_string, const char* text, std::int64_t bytes);
  std::int64_t (*string_to_utf8_chars)(const void* string, char* text, std::int64_t capacity);  // bytes; all of them with NULL
  void (*string_name_new_with_latin1_chars)(void* unset_name, const char* text, Bool is_static);
  void (*(*variant_get_ptr_destructor)(VariantType))(void* value);

  void (*(*get_variant_from_type_constructor)(VariantType))(void* unset_variant, void* value);
  void (*(*get_variant_to_type_constructor)(VariantType))(void* unset_value, void* variant);
  VariantType (*variant_get_type)(const void* variant);
  void (*variant_destroy)(void* variant);

  Object (*classdb_construct_object)(const void* class_name);  // "..._object2"
  void (*object_set_instance)(Object, const void* class_name, Instance);
  Object (*global_get_singleton)(const void* name);
  MethodBind (*classdb_get_method_bind)(const void* class_name, const void* method_name, std::int64_t hash);
  void (*object_method_bind_call)(MethodBind, Object, const void* const* variants, std::int64_t count, void* unset_result,
                                  CallError*);
  void (*object_method_bind_ptrcall)(MethodBind, Object, const void* const* values, void* result);

  void (*classdb_register_extension_class)(Library, const void* name, const void* parent,
                                           const ClassCreationInfo*);  // "..._class4"
  void (*classdb_register_extension_class_method)(Library, const void* class_name, const ClassMethodInfo*);
  void (*classdb_register_extension_class_property)(Library, const void* class_name, const PropertyInfo*, const void* setter,
                                                    const void* getter);
  void (*classdb_register_extension_class_signal)(Library, const void* class_name, const void* signal,
                                                  const PropertyInfo* arguments, std::int64_t count);
  void (*classdb_unregister_extension_class)(Library, const void* class_name);
};

}  // namespace gdextension
