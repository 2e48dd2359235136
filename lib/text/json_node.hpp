// A value of tokenizer.json together with its place in the file, so that complaints can name it.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "io/value.hpp"

namespace fathom::text {

class JsonNode {
 public:
  JsonNode(const io::Value& value, std::string place) : value_(&value), place_(std::move(place)) {}

  const io::Value& value() const { return *value_; }
  const std::string& place() const { return place_; }
  bool is_null() const { return value_->is_null(); }

  JsonNode operator[](std::string_view key) const {
    return {(*value_)[key], fmt::format("{}{}{}", place_, place_.ends_with(".json") ? ": " : ".", key)};
  }
  JsonNode operator[](std::size_t index) const { return {value_->array()[index], fmt::format("{}[{}]", place_, index)}; }
  std::size_t size() const { return value_->array().size(); }

  std::string_view string() const {
    const auto text = value_->as_string();
    if (!text) expected("a string");
    return *text;
  }
  std::string_view string_or(std::string_view otherwise) const { return is_null() ? otherwise : string(); }
  std::int64_t integer() const {
    const auto number = value_->as_int();
    if (!number) expected("an integer");
    return *number;
  }
  bool boolean_or(bool otherwise) const {
    if (is_null()) return otherwise;
    const auto flag = value_->as_bool();
    if (!flag) expected("true or false");
    return *flag;
  }
  // An array; its elements are reached by size() and [].
  const JsonNode& array() const {
    if (!value_->is_array()) expected("an array");
    return *this;
  }
  const JsonNode& object() const {
    if (!value_->is_object()) expected("an object");
    return *this;
  }

  [[noreturn]] void expected(std::string_view what) const {
    fail(Status::corrupt_file, "{}: {}, expected {}", place_, is_null() ? "missing" : "another kind of value", what);
  }
  [[noreturn]] void unsupported(std::string_view what) const {
    fail(Status::unsupported, "{}: {} is not supported", place_, what);
  }

 private:
  const io::Value* value_;
  std::string place_;
};

}  // namespace fathom::text
