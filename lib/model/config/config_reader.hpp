// Reading configuration values with a complaint that names file and key: HF's config.json and GGUF's metadata.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/open.hpp"

namespace fathom::model {

// One object of keys: config.json (or a member of it), or GGUF metadata with the architecture as a prefix. Copies and members
// remember together which keys were asked for.
class ConfigReader {
 public:
  ConfigReader(const io::Value& object, std::string origin, std::string prefix = {})
      : object_(&object), origin_(std::move(origin)), prefix_(std::move(prefix)) {}

  const std::string& origin() const { return origin_; }
  bool has(std::string_view key) const;              // present and not null
  bool written(std::string_view key) const;          // present, perhaps null
  std::int64_t integer(std::string_view key) const;  // throws Error{corrupt_file} when absent or of another kind
  std::int64_t integer(std::string_view key, std::int64_t otherwise) const;
  // For keys whose absence and null differ: absent is `absent`, null is `null`.
  std::int64_t integer(std::string_view key, std::int64_t absent, std::int64_t null) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double otherwise) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::string text(std::string_view key, std::string_view otherwise) const;
  const io::Value& value(std::string_view key) const;  // null value when absent
  ConfigReader member(std::string_view key) const;     // an object; empty when absent

  // The keys of this object that were never asked for, and whose value says something: null, false and empty do not.
  std::vector<std::string> unread() const;

 private:
  std::string full(std::string_view key) const { return prefix_ + std::string(key); }
  std::string path(std::string_view key) const { return path_ + full(key); }
  [[noreturn]] void wrong(std::string_view key, std::string_view expected) const;

  const io::Value* object_;
  std::string origin_;
  std::string prefix_;
  std::string path_;  // of the object in the document, "rope_scaling."
  std::shared_ptr<std::set<std::string, std::less<>>> read_ = std::make_shared<std::set<std::string, std::less<>>>();
};

// config.json, or its text_config when the checkpoint wraps a language model.
ConfigReader huggingface_config(const io::Checkpoint& checkpoint);
// Metadata under "<architecture>.".
ConfigReader gguf_config(const io::Checkpoint& checkpoint);

// architectures[0] / model_type of config.json; general.architecture of GGUF. Empty when absent.
std::string huggingface_architecture(const io::Checkpoint& checkpoint);
std::string huggingface_model_type(const io::Checkpoint& checkpoint);
std::string gguf_architecture(const io::Checkpoint& checkpoint);

}  // namespace fathom::model
