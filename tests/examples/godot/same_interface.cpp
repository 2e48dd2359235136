// Our declarations against Godot's own: each struct field by field, each function by its whole type. Compiling is the test; the
// header is what `godot --dump-gdextension-interface` writes.
#include <cstddef>
#include <type_traits>

#include "gdextension.hpp"
#include "gdextension_interface.h"

// Godot's type in our words: enums and structs are exchanged, also below pointers and in signatures.
template <typename T>
struct Ours {
  using type = T;
};
template <typename T>
using OursT = typename Ours<T>::type;
template <typename T>
struct Ours<const T> {
  using type = const OursT<T>;
};
template <typename T>
struct Ours<T*> {
  using type = OursT<T>*;
};
template <typename Result, typename... Arguments>
struct Ours<Result(Arguments...)> {
  using type = OursT<Result>(OursT<Arguments>...);
};

#define EXCHANGE(theirs, ours)      \
  template <>                       \
  struct Ours<theirs> {             \
    using type = gdextension::ours; \
  };                                \
  static_assert(sizeof(theirs) == sizeof(gdextension::ours) && alignof(theirs) == alignof(gdextension::ours));
EXCHANGE(GDExtensionVariantType, VariantType)
EXCHANGE(GDExtensionCallErrorType, CallErrorType)
EXCHANGE(GDExtensionInitializationLevel, Level)
EXCHANGE(GDExtensionClassMethodArgumentMetadata, ArgumentMetadata)
EXCHANGE(GDExtensionCallError, CallError)
EXCHANGE(GDExtensionPropertyInfo, PropertyInfo)
EXCHANGE(GDExtensionClassCreationInfo4, ClassCreationInfo)
EXCHANGE(GDExtensionClassMethodInfo, ClassMethodInfo)
EXCHANGE(GDExtensionInitialization, Initialization)

#define VALUE(theirs, ours) static_assert(int(theirs) == int(gdextension::ours));
VALUE(GDEXTENSION_VARIANT_TYPE_NIL, VariantType::nil)
VALUE(GDEXTENSION_VARIANT_TYPE_BOOL, VariantType::boolean)
VALUE(GDEXTENSION_VARIANT_TYPE_INT, VariantType::integer)
VALUE(GDEXTENSION_VARIANT_TYPE_FLOAT, VariantType::real)
VALUE(GDEXTENSION_VARIANT_TYPE_STRING, VariantType::string)
VALUE(GDEXTENSION_VARIANT_TYPE_STRING_NAME, VariantType::string_name)
VALUE(GDEXTENSION_CALL_OK, CallErrorType::ok)
VALUE(GDEXTENSION_CALL_ERROR_INVALID_ARGUMENT, CallErrorType::invalid_argument)
VALUE(GDEXTENSION_CALL_ERROR_TOO_MANY_ARGUMENTS, CallErrorType::too_many_arguments)
VALUE(GDEXTENSION_CALL_ERROR_TOO_FEW_ARGUMENTS, CallErrorType::too_few_arguments)
VALUE(GDEXTENSION_INITIALIZATION_CORE, Level::core)
VALUE(GDEXTENSION_INITIALIZATION_SERVERS, Level::servers)
VALUE(GDEXTENSION_INITIALIZATION_SCENE, Level::scene)
VALUE(GDEXTENSION_INITIALIZATION_EDITOR, Level::editor)
VALUE(GDEXTENSION_METHOD_ARGUMENT_METADATA_NONE, ArgumentMetadata::none)
VALUE(GDEXTENSION_METHOD_FLAGS_DEFAULT, kMethodDefault)

#define FIELD(theirs, field)                                                \
  static_assert(offsetof(theirs, field) == offsetof(OursT<theirs>, field)); \
  static_assert(std::is_same_v<OursT<decltype(theirs::field)>, decltype(OursT<theirs>::field)>);
FIELD(GDExtensionCallError, error)
FIELD(GDExtensionCallError, argument)
FIELD(GDExtensionCallError, expected)
FIELD(GDExtensionPropertyInfo, type)
FIELD(GDExtensionPropertyInfo, name)
FIELD(GDExtensionPropertyInfo, class_name)
FIELD(GDExtensionPropertyInfo, hint)
FIELD(GDExtensionPropertyInfo, hint_string)
FIELD(GDExtensionPropertyInfo, usage)
FIELD(GDExtensionClassCreationInfo4, is_virtual)
FIELD(GDExtensionClassCreationInfo4, is_abstract)
FIELD(GDExtensionClassCreationInfo4, is_exposed)
FIELD(GDExtensionClassCreationInfo4, is_runtime)
FIELD(GDExtensionClassCreationInfo4, icon_path)
FIELD(GDExtensionClassCreationInfo4, set_func)
FIELD(GDExtensionClassCreationInfo4, get_func)
FIELD(GDExtensionClassCreationInfo4, get_property_list_func)
FIELD(GDExtensionClassCreationInfo4, free_property_list_func)
FIELD(GDExtensionClassCreationInfo4, property_can_revert_func)
FIELD(GDExtensionClassCreationInfo4, property_get_revert_func)
FIELD(GDExtensionClassCreationInfo4, validate_property_func)
FIELD(GDExtensionClassCreationInfo4, notification_func)
FIELD(GDExtensionClassCreationInfo4, to_string_func)
FIELD(GDExtensionClassCreationInfo4, reference_func)
FIELD(GDExtensionClassCreationInfo4, unreference_func)
FIELD(GDExtensionClassCreationInfo4, create_instance_func)
FIELD(GDExtensionClassCreationInfo4, free_instance_func)
FIELD(GDExtensionClassCreationInfo4, recreate_instance_func)
FIELD(GDExtensionClassCreationInfo4, get_virtual_func)
FIELD(GDExtensionClassCreationInfo4, get_virtual_call_data_func)
FIELD(GDExtensionClassCreationInfo4, call_virtual_with_data_func)
FIELD(GDExtensionClassCreationInfo4, class_userdata)
FIELD(GDExtensionClassMethodInfo, name)
FIELD(GDExtensionClassMethodInfo, method_userdata)
FIELD(GDExtensionClassMethodInfo, call_func)
FIELD(GDExtensionClassMethodInfo, ptrcall_func)
FIELD(GDExtensionClassMethodInfo, method_flags)
FIELD(GDExtensionClassMethodInfo, has_return_value)
FIELD(GDExtensionClassMethodInfo, return_value_info)
FIELD(GDExtensionClassMethodInfo, return_value_metadata)
FIELD(GDExtensionClassMethodInfo, argument_count)
FIELD(GDExtensionClassMethodInfo, arguments_info)
FIELD(GDExtensionClassMethodInfo, arguments_metadata)
FIELD(GDExtensionClassMethodInfo, default_argument_count)
FIELD(GDExtensionClassMethodInfo, default_arguments)
FIELD(GDExtensionInitialization, minimum_initialization_level)
FIELD(GDExtensionInitialization, userdata)
FIELD(GDExtensionInitialization, initialize)
FIELD(GDExtensionInitialization, deinitialize)

#define FUNCTION(theirs, member) \
  static_assert(std::is_same_v<OursT<GDExtensionInterface##theirs>, decltype(gdextension::Interface::member)>);
FUNCTION(PrintError, print_error)
FUNCTION(StringNewWithUtf8CharsAndLen2, string_new_with_utf8_chars_and_len2)
FUNCTION(StringToUtf8Chars, string_to_utf8_chars)
FUNCTION(StringNameNewWithLatin1Chars, string_name_new_with_latin1_chars)
FUNCTION(VariantGetPtrDestructor, variant_get_ptr_destructor)
FUNCTION(GetVariantFromTypeConstructor, get_variant_from_type_constructor)
FUNCTION(GetVariantToTypeConstructor, get_variant_to_type_constructor)
FUNCTION(VariantGetType, variant_get_type)
FUNCTION(VariantDestroy, variant_destroy)
FUNCTION(ClassdbConstructObject2, classdb_construct_object)
FUNCTION(ObjectSetInstance, object_set_instance)
FUNCTION(GlobalGetSingleton, global_get_singleton)
FUNCTION(ClassdbGetMethodBind, classdb_get_method_bind)
FUNCTION(ObjectMethodBindCall, object_method_bind_call)
FUNCTION(ObjectMethodBindPtrcall, object_method_bind_ptrcall)
FUNCTION(ClassdbRegisterExtensionClass4, classdb_register_extension_class)
FUNCTION(ClassdbRegisterExtensionClassMethod, classdb_register_extension_class_method)
FUNCTION(ClassdbRegisterExtensionClassProperty, classdb_register_extension_class_property)
FUNCTION(ClassdbRegisterExtensionClassSignal, classdb_register_extension_class_signal)
FUNCTION(ClassdbUnregisterExtensionClass, classdb_unregister_extension_class)
static_assert(std::is_same_v<OursT<GDExtensionInterfaceGetProcAddress>, gdextension::GetProcAddress>);
