// What Godot sees of FathomChat, and where it begins: the entry point named in fathom.gdextension.
#include <algorithm>

#include "fathom_chat.hpp"

namespace {

using godot::Hint;
using godot::Type;
using godot::Value;

FathomChat& chat(void* instance) { return *static_cast<FathomChat*>(instance); }

template <auto Member>
godot::Property text_property(const char* name, Hint hint, const char* hint_text) {
  return {name,
          Type::string,
          hint,
          hint_text,
          [](void* instance) -> Value { return chat(instance).*Member; },
          [](void* instance, const Value& value) { chat(instance).*Member = std::get<std::string>(value); }};
}

template <auto Member>
godot::Property flag_property(const char* name) {
  return {name,
          Type::boolean,
          Hint::none,
          "",
          [](void* instance) -> Value { return chat(instance).*Member; },
          [](void* instance, const Value& value) { chat(instance).*Member = std::get<bool>(value); }};
}

// A number that is never less than `least`, whatever a script sets.
template <auto Member, auto least>
godot::Property number_property(const char* name, Type type, const char* range) {
  using Number = decltype(least);
  return {name,
          type,
          Hint::range,
          range,
          [](void* instance) -> Value { return chat(instance).*Member; },
          [](void* instance, const Value& value) { chat(instance).*Member = std::max(least, std::get<Number>(value)); }};
}

const godot::Class& description() {
  constexpr auto string = Type::string;
  constexpr auto integer = Type::integer;
  constexpr auto real = Type::real;
  using Values = std::vector<Value>;
  static const godot::Class description = {
      .name = "FathomChat",
      .parent = "Node",
      .create = [](godot::Object object) -> void* { return new FathomChat(object); },
      .destroy = [](void* instance) { delete &chat(instance); },
      .notified =
          [](void* instance, std::int32_t what) {
            // not _process: a script on the node may have one of its own
            if (what == godot::kNotificationInternalProcess) chat(instance).frame();
          },
      .methods =
          {
              {"load_model", Type::nil, {}, [](void* node, const Values&) { return chat(node).load_model(), Value(); }},
              {"ask",
               Type::nil,
               {{"prompt", string}},
               [](void* node, const Values& values) { return chat(node).ask(std::get<std::string>(values[0])), Value(); }},
              {"cancel", Type::nil, {}, [](void* node, const Values&) { return chat(node).cancel(), Value(); }},
              {"forget", Type::nil, {}, [](void* node, const Values&) { return chat(node).forget(), Value(); }},
              {"is_busy", Type::boolean, {}, [](void* node, const Values&) { return Value(chat(node).is_busy()); }},
          },
      .properties =
          {
              text_property<&FathomChat::model_path>("model_path", Hint::file, "*.gguf"),
              text_property<&FathomChat::system_prompt>("system_prompt", Hint::multiline, ""),
              number_property<&FathomChat::threads, std::int64_t(0)>("threads", integer, "0,64,1"),
              number_property<&FathomChat::budget_us, std::int64_t(1)>("budget_us", integer, "100,16000,100,or_greater"),
              number_property<&FathomChat::max_tokens, std::int64_t(1)>("max_tokens", integer, "1,4096,1,or_greater"),
              number_property<&FathomChat::context_length, std::int64_t(1)>("context_length", integer,
                                                                            "128,32768,1,or_greater"),
              number_property<&FathomChat::temperature, 0.0>("temperature", real, "0,2,0.01"),
              number_property<&FathomChat::top_p, 0.0>("top_p", real, "0,1,0.01"),
              flag_property<&FathomChat::recommended_sampling>("recommended_sampling"),
              number_property<&FathomChat::seed, std::int64_t(0)>("seed", integer, "0,1000000,1,or_greater"),
          },
      .signals =
          {
              {"loading", {{"share", real}}},
              {"loaded", {}},
              {"text", {{"piece", string}}},
              {"finished", {{"reason", string}}},
              {"failed", {{"message", string}}},
          },
  };
  return description;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) gdextension::Bool fathom_godot_init(
    gdextension::GetProcAddress get, gdextension::Library library, gdextension::Initialization* initialization) {
  using gdextension::Level;
  initialization->minimum_initialization_level = Level::scene;
  initialization->userdata = nullptr;
  initialization->initialize = [](void*, Level level) {
    if (level == Level::scene) godot::register_class(description());
  };
  initialization->deinitialize = [](void*, Level level) {
    if (level == Level::scene) godot::unregister_class(description());
  };
  return godot::connect(get, library);
}
