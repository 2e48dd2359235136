#include "godot_binding.hpp"

#include <deque>
#include <exception>

#include "godot_values.hpp"

namespace godot {
namespace {

using gdextension::CallError;
using gdextension::CallErrorType;
using gdextension::MethodBind;

// What Godot's methods are looked up by, beside the name: a hash of the signature, from extension_api.json.
constexpr std::int64_t kEmitSignal = 4047867050, kNotification = 4023243586, kSetProcessInternal = 2586408642;
constexpr std::int64_t kGlobalizePath = 3135753539;

// ---- Godot's methods

struct Methods {
  MethodBind emit_signal, notification, set_process_internal, globalize_path;
} methods;

MethodBind find_method(const char* class_name, const char* method, std::int64_t hash) {
  return api.classdb_get_method_bind(Name(class_name).get(), Name(method).get(), hash);
}

// ---- Our methods, called by Godot

// No exception of ours may enter Godot's code.
template <typename Body>
void guard(const char* what, Body body) {
  try {
    body();
  } catch (const std::exception& error) {
    api.print_error(error.what(), what, __FILE__, __LINE__, 0);
  }
}

bool fits(Type declared, Type given) {
  if (declared == Type::string) return given == Type::string || given == Type::string_name;
  return given == Type::boolean || given == Type::integer || given == Type::real;  // numbers turn into each other
}

void call_with_variants(void* userdata, void* instance, const void* const* variants, std::int64_t count, void* result,
                        CallError* error) {
  const auto& method = *static_cast<const Method*>(userdata);
  const auto expected = std::int64_t(method.arguments.size());
  if (count != expected) {
    *error = {count < expected ? CallErrorType::too_few_arguments : CallErrorType::too_many_arguments, std::int32_t(count),
              std::int32_t(expected)};
    return;
  }
  guard(method.name.c_str(), [&] {
    std::vector<Value> values;
    for (std::size_t i = 0; i < method.arguments.size(); ++i) {
      const Type type = method.arguments[i].type;
      if (!fits(type, api.variant_get_type(variants[i]))) {
        *error = {CallErrorType::invalid_argument, std::int32_t(i), std::int32_t(type)};
        return;
      }
      values.push_back(from_variant(type, variants[i]));
    }
    const Value value = method.call(instance, values);
    if (method.returns == Type::nil) return;
    with_plain(value, [&](void* plain) {
      api.variant_destroy(result);
      api.get_variant_from_type_constructor(method.returns)(result, plain);
    });
  });
}

void call_with_plain_values(void* userdata, void* instance, const void* const* plain, void* result) {
  const auto& method = *static_cast<const Method*>(userdata);
  guard(method.name.c_str(), [&] {
    std::vector<Value> values;
    for (std::size_t i = 0; i < method.arguments.size(); ++i) values.push_back(from_plain(method.arguments[i].type, plain[i]));
    const Value value = method.call(instance, values);
    switch (method.returns) {
      case Type::boolean:
        *static_cast<gdextension::Bool*>(result) = std::get<bool>(value);
        break;
      case Type::integer:
        *static_cast<std::int64_t*>(result) = std::get<std::int64_t>(value);
        break;
      case Type::real:
        *static_cast<double*>(result) = std::get<double>(value);
        break;
      case Type::string: {
        api.variant_get_ptr_destructor(Type::string)(result);
        const auto& text = std::get<std::string>(value);
        api.string_new_with_utf8_chars_and_len2(result, text.data(), std::int64_t(text.size()));
        break;
      }
      default:
        break;
    }
  });
}

// ---- Our class, made known to Godot

std::deque<Method> registered;  // Godot keeps pointers to them

// Names and empty texts that descriptions point to while Godot reads them.
class Descriptions {
 public:
  gdextension::PropertyInfo info(const char* name, Type type, Hint hint = Hint::none, const char* hint_text = "") {
    constexpr std::uint32_t kStoreAndShow = 2 | 4;  // usage: saved with the scene, shown in the inspector
    return {type,
            names_.emplace_back(name).get(),
            names_.emplace_back("").get(),
            std::uint32_t(hint),
            texts_.emplace_back(hint_text).get(),
            kStoreAndShow};
  }
  std::vector<gdextension::PropertyInfo> infos(const std::vector<Argument>& arguments) {
    std::vector<gdextension::PropertyInfo> result;
    for (const Argument& argument : arguments) result.push_back(info(argument.name, argument.type));
    return result;
  }

 private:
  std::deque<Name> names_;
  std::deque<String> texts_;
};

void register_method(Name& class_name, const Method& method) {
  Descriptions descriptions;
  auto arguments = descriptions.infos(method.arguments);
  auto returns = descriptions.info("", method.returns);
  std::vector<gdextension::ArgumentMetadata> metadata(arguments.size(), gdextension::ArgumentMetadata::none);
  Name name(method.name.c_str());
  gdextension::ClassMethodInfo info = {};
  info.name = name.get();
  info.method_userdata = &registered.emplace_back(method);
  info.call_func = call_with_variants;
  info.ptrcall_func = call_with_plain_values;
  info.method_flags = gdextension::kMethodDefault;
  info.has_return_value = method.returns != Type::nil;
  info.return_value_info = &returns;
  info.argument_count = std::uint32_t(arguments.size());
  info.arguments_info = arguments.data();
  info.arguments_metadata = metadata.data();
  api.classdb_register_extension_class_method(library, class_name.get(), &info);
}

void register_property(Name& class_name, const Property& property) {
  const std::string getter = std::string("get_") + property.name, setter = std::string("set_") + property.name;
  register_method(class_name,
                  {getter, property.type, {}, [get = property.get](void* instance, const auto&) { return get(instance); }});
  register_method(
      class_name,
      {setter, Type::nil, {{property.name, property.type}}, [set = property.set](void* instance, const auto& values) -> Value {
         return set(instance, values[0]), Value();
       }});
  Descriptions descriptions;
  const auto info = descriptions.info(property.name, property.type, property.hint, property.hint_text);
  api.classdb_register_extension_class_property(library, class_name.get(), &info, Name(setter.c_str()).get(),
                                                Name(getter.c_str()).get());
}

const Class* current;  // the one class of this extension; instances come without their class

Object create(void* userdata, gdextension::Bool notify) {
  const auto& description = *static_cast<const Class*>(userdata);
  Object object = api.classdb_construct_object(Name(description.parent).get());
  guard(description.name, [&] { api.object_set_instance(object, Name(description.name).get(), description.create(object)); });
  if (notify) {
    const std::int64_t what = 0;  // NOTIFICATION_POSTINITIALIZE
    const gdextension::Bool reversed = 0;
    const void* arguments[] = {&what, &reversed};
    api.object_method_bind_ptrcall(methods.notification, object, arguments, nullptr);
  }
  return object;
}

void destroy(void* userdata, void* instance) { static_cast<const Class*>(userdata)->destroy(instance); }

void notified(void* instance, std::int32_t what, gdextension::Bool) {
  guard(current->name, [&] { current->notified(instance, what); });
}

}  // namespace

void register_class(const Class& description) {
  current = &description;
  methods = {find_method("Object", "emit_signal", kEmitSignal), find_method("Object", "notification", kNotification),
             find_method("Node", "set_process_internal", kSetProcessInternal),
             find_method("ProjectSettings", "globalize_path", kGlobalizePath)};
  if (!methods.emit_signal || !methods.notification || !methods.set_process_internal || !methods.globalize_path) {
    return api.print_error("this Godot lacks a method that the class needs", description.name, __FILE__, __LINE__, 1);
  }
  gdextension::ClassCreationInfo info = {};
  info.is_exposed = 1;
  info.is_runtime = 1;
  info.notification_func = notified;
  info.create_instance_func = create;
  info.free_instance_func = destroy;
  info.class_userdata = const_cast<Class*>(&description);
  Name name(description.name);
  api.classdb_register_extension_class(library, name.get(), Name(description.parent).get(), &info);
  for (const Method& method : description.methods) register_method(name, method);
  for (const Property& property : description.properties) register_property(name, property);
  for (const Signal& signal : description.signals) {
    Descriptions descriptions;
    const auto arguments = descriptions.infos(signal.arguments);
    api.classdb_register_extension_class_signal(library, name.get(), Name(signal.name).get(), arguments.data(),
                                                std::int64_t(arguments.size()));
  }
}

void unregister_class(const Class& description) {
  api.classdb_unregister_extension_class(library, Name(description.name).get());
  registered.clear();
}

void emit(Object object, const char* signal, const std::vector<Value>& arguments) {
  Name name(signal);
  std::deque<Variant> variants;
  variants.emplace_back(Type::string_name, name.get());
  for (const Value& argument : arguments) variants.emplace_back(argument);
  std::vector<const void*> pointers;
  for (Variant& variant : variants) pointers.push_back(variant.get());
  Variant result;
  CallError error = {};
  api.object_method_bind_call(methods.emit_signal, object, pointers.data(), std::int64_t(pointers.size()), result.get(),
                              &error);
}

void set_process_internal(Object node, bool on) {
  const gdextension::Bool value = on;
  const void* arguments[] = {&value};
  api.object_method_bind_ptrcall(methods.set_process_internal, node, arguments, nullptr);
}

std::string globalize_path(const std::string& path) {
  String argument(path), result;
  const void* arguments[] = {argument.get()};
  api.object_method_bind_ptrcall(methods.globalize_path, api.global_get_singleton(Name("ProjectSettings").get()), arguments,
                                 result.get());
  return text_of(result.get());
}

}  // namespace godot
