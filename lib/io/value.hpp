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
  // A number that its container types as floating point, as GGUF does: never an integer, also where its value is integral.
  static Value floating(double v) { return Value(Floating{v}); }

  bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }
  bool is_string() const { return std::holds_alternative<std::string>(v_); }
  bool is_array() const { return std::holds_alternative<Array>(v_); }
  bool is_object() const { return std::holds_alternative<Object>(v_); }
  bool is_number() const;
  bool is_integer() const;  // as_int() has a value, or it is an unsigned integer past it

  // Nothing when the value is of another kind; numbers convert between kinds only without loss.
  //
  // as_int() takes the double 4.0 as 4. JSON has one kind of number, and programs that know only doubles write 4.0 or 1e0 for a
  // count, so config.json and its kin may: the value is beyond doubt. Containers whose numbers have types are strict instead:
  // GGUF's floats are floating(), and a safetensors header is read by written_int().
  std::optional<bool> as_bool() const;
  std::optional<std::int64_t> as_int() const;
  std::optional<std::int64_t> written_int() const;  // only of a number written as an integer: 4, not 4.0
  std::optional<double> as_double() const;
  std::optional<std::string_view> as_string() const;
  // Empty when not an array / object.
  const Array& array() const;
  const Object& object() const;

  // Member of an object, or a null value when absent (or when this is no object). Keys are unique: a reader keeps one of
  // duplicates or refuses them.
  const Value& operator[](std::string_view key) const;
  bool has(std::string_view key) const;

 private:
  struct Floating {
    double value;
  };
  explicit Value(Floating v) : v_(v) {}

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, Floating, std::string, Array, Object> v_;
};

// The value for a sentence: "null", "4.5", "true", "'text'", "an array of 3", "an object". Long numbers and texts are cut.
std::string describe(const Value& value);

}  // namespace fathom::io
