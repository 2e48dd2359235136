// A parsed document: config.json, tokenizer.json, or the metadata of a GGUF file. Immutable once read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fathom::io {

class Value {
 public:
  using Array = std::vector<Value>;
  using Member = std::pair<std::string, Value>;
  using Object = std::vector<Member>;  // in file order; lookup is linear for small objects, indexed by the reader for large

  Value() = default;  // null
  explicit Value(bool v) : v_(v) {}
  explicit Value(std::int64_t v) : v_(v) {}
  explicit Value(std::uint64_t v) : v_(v) {}
  explicit Value(double v) : v_(v) {}
  explicit Value(std::string v) : v_(std::move(v)) {}
  explicit Value(Array v) : v_(std::move(v)) {}
  explicit Value(Object v) : v_(std::move(v)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }
  bool is_string() const { return std::holds_alternative<std::string>(v_); }
  bool is_array() const { return std::holds_alternative<Array>(v_); }
  bool is_object() const { return std::holds_alternative<Object>(v_); }
  bool is_number() const;
  bool is_integer() const;  // an integer, or a double with an integral value that fits int64

  // Nothing when the value is of another kind; numbers convert between kinds only without loss.
  std::optional<bool> as_bool() const;
  std::optional<std::int64_t> as_int() const;
  std::optional<double> as_double() const;
  std::optional<std::string_view> as_string() const;
  // Empty when not an array / object.
  const Array& array() const;
  const Object& object() const;

  // Member of an object, or a null value when absent (or when this is no object). The first of duplicate keys.
  const Value& operator[](std::string_view key) const;
  bool has(std::string_view key) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> v_;
};

}  // namespace fathom::io
