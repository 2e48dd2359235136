// JSON text to Value, by simdjson. Its DOM is read once and dropped: a Value owns its strings and knows no library.
//
// What Python writes and RFC 8259 does not have is tried second: NaN, Infinity and integers past 64 bits (tokenizer_config.json
// files say "model_max_length": 1000000000000000019884624838656) are rewritten and the text parsed again.
#include "io/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"
#include "io/json_fault.hpp"

namespace fathom::io {
namespace {

constexpr int kMaxDepth = 64;

// A text with what is Python's own taken out. NaN and the infinities became null; which of the nulls they are, counted in
// the order of the text, tells them from nulls that the author wrote.
struct Rewritten {
  struct Special {
    std::size_t null_number;
    double value;
  };
  std::string text;
  std::vector<Special> specials;
  bool changed = false;
};

bool is_integer_past_64_bits(std::string_view number) {
  if (number.size() < 19 || number.find_first_of(".eE") != number.npos) return false;
  const char* const end = number.data() + number.size();
  if (number.front() == '-') {
    std::int64_t ignored;
    return std::from_chars(number.data(), end, ignored).ec == std::errc::result_out_of_range;
  }
  std::uint64_t ignored;
  return std::from_chars(number.data(), end, ignored).ec == std::errc::result_out_of_range;
}

// Index after the string that begins at `quote`, or the text's end.
std::size_t end_of_string(std::string_view text, std::size_t quote) {
  std::size_t at = quote + 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

Rewritten rewrite_python(std::string_view text) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  static constexpr std::pair<std::string_view, double> kSpecials[] = {
      {"NaN", std::numeric_limits<double>::quiet_NaN()}, {"Infinity", infinity}, {"-Infinity", -infinity}};
  Rewritten result;
  result.text.reserve(text.size());
  std::size_t nulls = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const auto special = std::find_if(std::begin(kSpecials), std::end(kSpecials),
                                      [&](const auto& known) { return rest.starts_with(known.first); });
    std::size_t length = 1;
    if (special != std::end(kSpecials)) {
      result.specials.push_back({nulls++, special->second});
      result.changed = true;
      result.text += "null";
      at += special->first.size();
      continue;
    }
    if (rest.starts_with('"')) {
      length = end_of_string(text, at) - at;
    } else if (rest.starts_with("null")) {
      ++nulls;
      length = 4;
    } else {
      length = std::clamp<std::size_t>(rest.find_first_not_of("0123456789+-.eE"), 1, rest.size());
    }
    result.text += rest.substr(0, length);
    if (is_integer_past_64_bits(rest.substr(0, length))) {
      result.text += ".0";
      result.changed = true;
    }
    at += length;
  }
  return result;
}

// simdjson's elements to Values.
class Converter {
 public:
  Converter(std::string_view origin, bool refuse_duplicates, const Rewritten& rewritten)
      : origin_(origin), refuse_duplicates_(refuse_duplicates), next_special_(rewritten.specials) {}

  Value convert(simdjson::dom::element element) {
    using simdjson::dom::element_type;
    switch (element.type()) {
      case element_type::ARRAY:
        return array(element.get_array().value_unsafe());
      case element_type::OBJECT:
        return object(element.get_object().value_unsafe());
      case element_type::INT64:
        return Value(element.get_int64().value_unsafe());
      case element_type::UINT64:
        return Value(element.get_uint64().value_unsafe());
      case element_type::DOUBLE:
        return Value(element.get_double().value_unsafe());
      case element_type::STRING:
        return Value(std::string(element.get_string().value_unsafe()));
      case element_type::BOOL:
        return Value(element.get_bool().value_unsafe());
      case element_type::NULL_VALUE:
        return null();
    }
    fail(Status::internal, "{}: a JSON value of unknown kind", origin_);
  }

 private:
  Value array(simdjson::dom::array elements) {
    Value::Array values;
    values.reserve(elements.size());
    for (const simdjson::dom::element element : elements) values.push_back(convert(element));
    return Value(std::move(values));
  }

  Value object(simdjson::dom::object fields) {
    Value::Object members;
    members.reserve(fields.size());
    for (const simdjson::dom::key_value_pair field : fields) members.emplace_back(std::string(field.key), convert(field.value));
    settle_duplicates(members);
    return Value(std::move(members));
  }

  Value null() {
    const std::size_t number = nulls_++;
    if (next_special_.empty() || next_special_.front().null_number != number) return Value();
    const double value = next_special_.front().value;
    next_special_ = next_special_.subspan(1);
    return Value(value);
  }

  // A key given again replaces the value and keeps the place, as in Python; or it is refused.
  void settle_duplicates(Value::Object& members) const {
    std::unordered_map<std::string_view, std::size_t> places;  // views of keys that stay where they are
    places.reserve(members.size());
    std::vector<std::size_t> repeated;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto [first, unique] = places.emplace(members[i].first, i);
      if (unique) continue;
      if (refuse_duplicates_) {
        fail(Status::corrupt_file, "{}: the key '{}' appears twice in one object", origin_, members[i].first);
      }
      members[first->second].second = std::move(members[i].second);
      repeated.push_back(i);
    }
    for (auto i = repeated.rbegin(); i != repeated.rend(); ++i) members.erase(members.begin() + std::ptrdiff_t(*i));
  }

  std::string_view origin_;
  bool refuse_duplicates_;
  std::span<const Rewritten::Special> next_special_;
  std::size_t nulls_ = 0;
};

// Left to itself, the library chooses its code for this CPU at first use and reads an environment variable to do so.
void choose_implementation() {
  [[maybe_unused]] static const bool once = [] {
    simdjson::get_active_implementation() = simdjson::get_available_implementations().detect_best_supported();
    return true;
  }();
}

simdjson::error_code parse_with(simdjson::dom::parser& parser, std::string_view text, simdjson::dom::element& document) {
  // The library counts the document itself as a level.
  const simdjson::error_code error = parser.allocate(0, kMaxDepth + 1);
  return error ? error : parser.parse(text.data(), text.size()).get(document);
}

std::string quoted(std::string_view text, std::size_t offset) {
  if (offset >= text.size()) return "the end of the text";
  const unsigned char c = static_cast<unsigned char>(text[offset]);
  return c > 0x20 && c < 0x7f ? fmt::format("'{}'", char(c)) : fmt::format("the byte 0x{:02x}", c);
}

// A number that no double holds; in sentences a long one is cut.
struct HugeNumber {
  std::size_t offset;
  std::string text;
};

std::optional<HugeNumber> find_huge_number(std::string_view text) {
  constexpr std::size_t kShown = 20;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '"') {
      at = end_of_string(text, at);
      continue;
    }
    const std::string_view rest = text.substr(at);
    const std::string_view number = rest.substr(0, rest.find_first_not_of("0123456789+-.eE"));
    double ignored;
    if (!number.empty() &&
        std::from_chars(number.data(), number.data() + number.size(), ignored).ec == std::errc::result_out_of_range) {
      if (number.size() <= kShown) return HugeNumber{at, std::string(number)};
      return HugeNumber{at, fmt::format("{}... ({} characters)", number.substr(0, kShown), number.size())};
    }
    at += std::max<std::size_t>(number.size(), 1);
  }
  return std::nullopt;
}

[[noreturn]] void refuse(simdjson::error_code error, std::string_view text, std::size_t skipped, std::string_view origin) {
  if (error == simdjson::MEMALLOC) fail(Status::out_of_memory, "{}: no memory to parse {} bytes of JSON", origin, text.size());
  if (error == simdjson::CAPACITY) fail(Status::unsupported, "{}: {} bytes of JSON, 4 GiB are the limit", origin, text.size());
  const std::optional<JsonFault> fault = find_json_fault(text, kMaxDepth);
  if (!fault) {
    if (const auto number = find_huge_number(text)) {
      fail(Status::corrupt_file, "{}: the number {} at byte {} is past the range of a double", origin, number->text,
           skipped + number->offset);
    }
    fail(Status::corrupt_file, "{}: not valid JSON: {}", origin, simdjson::error_message(error));
  }
  fail(Status::corrupt_file, "{}: not valid JSON: at byte {} found {}, expected {}", origin, skipped + fault->offset,
       quoted(text, fault->offset), fault->expected);
}

}  // namespace

Value parse_json(std::string_view text, std::string_view origin, bool refuse_duplicates) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  const std::size_t skipped = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  text.remove_prefix(skipped);

  choose_implementation();
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  Rewritten rewritten;
  simdjson::error_code error = parse_with(parser, text, document);
  if (error && error != simdjson::MEMALLOC && error != simdjson::CAPACITY) {
    rewritten = rewrite_python(text);
    if (rewritten.changed) error = parse_with(parser, rewritten.text, document);
  }
  if (error) refuse(error, text, skipped, origin);
  return Converter(origin, refuse_duplicates, rewritten).convert(document);
}

}  // namespace fathom::io
