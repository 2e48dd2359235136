#include "model/config/config_reader.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"

namespace fathom::model {
namespace {

std::string config_origin(const io::Checkpoint& checkpoint) {
  return checkpoint.container == io::Container::gguf ? checkpoint.path : checkpoint.path + "/config.json";
}

std::string string_or_empty(const io::Value& value) {
  const auto text = value.as_string();
  return text ? std::string(*text) : std::string();
}

// GGUF writes some numbers once for each layer. Here they stand for one number, so all must be equal; else the array itself
// is returned, which is no number.
const io::Value& scalar(const io::Value& value) {
  const io::Value::Array& layers = value.array();
  const auto differs = [&](const io::Value& one) { return one.as_int() != layers.front().as_int(); };
  return layers.empty() || std::any_of(layers.begin(), layers.end(), differs) ? value : layers.front();
}

}  // namespace

const io::Value& ConfigReader::value(std::string_view key) const {
  read_->insert(path(key));
  return (*object_)[full(key)];
}
bool ConfigReader::has(std::string_view key) const { return !value(key).is_null(); }
bool ConfigReader::written(std::string_view key) const {
  read_->insert(path(key));
  return object_->has(full(key));
}

std::vector<std::string> ConfigReader::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, found] : object_->object()) {
    const bool says_nothing = found.is_null() || found.as_bool() == false || (found.is_array() && found.array().empty()) ||
                              (found.is_object() && found.object().empty());
    if (key.starts_with(prefix_) && !says_nothing && !read_->contains(path_ + key)) keys.push_back(key.substr(prefix_.size()));
  }
  return keys;
}

void ConfigReader::wrong(std::string_view key, std::string_view expected) const {
  if (!has(key)) fail(Status::corrupt_file, "{}: '{}' is missing", origin_, full(key));
  fail(Status::corrupt_file, "{}: '{}' is not {}", origin_, full(key), expected);
}

std::int64_t ConfigReader::integer(std::string_view key) const {
  const auto found = scalar(value(key)).as_int();
  // Far above any size, far below what could overflow where two are added before they are validated.
  constexpr std::int64_t kLargest = std::int64_t{1} << 48;
  if (!found || *found < -kLargest || *found > kLargest) wrong(key, "an integer that could be a size");
  return *found;
}
std::int64_t ConfigReader::integer(std::string_view key, std::int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}
std::int64_t ConfigReader::integer(std::string_view key, std::int64_t absent, std::int64_t null) const {
  return has(key) ? integer(key) : written(key) ? null : absent;
}
double ConfigReader::number(std::string_view key) const {
  const auto found = value(key).as_double();
  if (!found || !std::isfinite(*found)) wrong(key, "a finite number");
  return *found;
}
double ConfigReader::number(std::string_view key, double otherwise) const { return has(key) ? number(key) : otherwise; }
bool ConfigReader::boolean(std::string_view key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const auto found = value(key).as_bool();
  if (!found) wrong(key, "true or false");
  return *found;
}
std::string ConfigReader::text(std::string_view key, std::string_view otherwise) const {
  if (!has(key)) return std::string(otherwise);
  const auto found = value(key).as_string();
  if (!found) wrong(key, "a string");
  return std::string(*found);
}
ConfigReader ConfigReader::member(std::string_view key) const {
  const io::Value& found = value(key);
  if (!found.is_null() && !found.is_object()) wrong(key, "an object");
  ConfigReader inner(found, fmt::format("{}: '{}'", origin_, key));
  inner.path_ = path(key) + ".";
  inner.read_ = read_;
  return inner;
}

ConfigReader huggingface_config(const io::Checkpoint& checkpoint) {
  ConfigReader reader(checkpoint.config, config_origin(checkpoint));
  if (!reader.has("num_hidden_layers") && reader.has("text_config")) return reader.member("text_config");
  return reader;
}
ConfigReader gguf_config(const io::Checkpoint& checkpoint) {
  return ConfigReader(checkpoint.config, config_origin(checkpoint), gguf_architecture(checkpoint) + ".");
}

std::string huggingface_architecture(const io::Checkpoint& checkpoint) {
  const io::Value& list = checkpoint.config["architectures"];
  return list.array().empty() ? std::string() : string_or_empty(list.array().front());
}
std::string huggingface_model_type(const io::Checkpoint& checkpoint) {
  return string_or_empty(checkpoint.config["model_type"]);
}
std::string gguf_architecture(const io::Checkpoint& checkpoint) {
  return string_or_empty(checkpoint.config["general.architecture"]);
}

}  // namespace fathom::model
