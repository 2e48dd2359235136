#include "run/recommended_sampling.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "model/load/open_model.hpp"

namespace fathom {
namespace {

// What a container calls each value; empty where it has no name for it.
struct Names {
  std::string_view document;  // "" for the metadata of a GGUF file, whose keys say enough
  std::string_view do_sample, temperature, top_k, top_p, min_p;
  std::string_view repetition_penalty, frequency_penalty, presence_penalty, penalty_window;
};

constexpr Names kHuggingFace = {.document = "generation_config.json: ",
                                .do_sample = "do_sample",
                                .temperature = "temperature",
                                .top_k = "top_k",
                                .top_p = "top_p",
                                .min_p = "min_p",
                                .repetition_penalty = "repetition_penalty",
                                .frequency_penalty = "",
                                .presence_penalty = "",
                                .penalty_window = ""};

constexpr Names kGguf = {.document = "",
                         .do_sample = "",
                         .temperature = "general.sampling.temp",
                         .top_k = "general.sampling.top_k",
                         .top_p = "general.sampling.top_p",
                         .min_p = "general.sampling.min_p",
                         .repetition_penalty = "general.sampling.penalty_repeat",
                         .frequency_penalty = "general.sampling.penalty_freq",
                         .presence_penalty = "general.sampling.penalty_present",
                         .penalty_window = "general.sampling.penalty_last_n"};

constexpr double kLargest = std::numeric_limits<float>::max();
constexpr std::int32_t kWholeText = std::numeric_limits<std::int32_t>::max();

// The numbers that the sampler accepts.
struct Range {
  double least;
  double most;
  bool above;  // `least` itself is not part of it
  const char* words;
};

constexpr Range kTemperature = {0.0, kLargest, false, "0 or more"};
constexpr Range kTopP = {0.0, 1.0, true, "more than 0, at most 1"};
constexpr Range kMinP = {0.0, 1.0, false, "0 to 1"};
constexpr Range kFactor = {0.0, kLargest, true, "more than 0"};
constexpr Range kFinite = {-kLargest, kLargest, false, "a finite number"};

class Reader {
 public:
  Reader(const io::Value& document, const Names& names, LogSink* log) : document_(document), names_(names), log_(log) {}

  std::optional<bool> flag(std::string_view key) const {
    if (key.empty()) return std::nullopt;
    const io::Value& value = document_[key];
    if (const auto read = value.as_bool()) return read;
    return left_out<bool>(key, value, "true or false");
  }

  std::optional<float> number(std::string_view key, const Range& range) const {
    if (key.empty()) return std::nullopt;
    const io::Value& value = document_[key];
    if (const auto read = value.as_double(); read && *read >= range.least && *read <= range.most) {
      const float narrow = static_cast<float>(*read);  // a tiny number may become 0
      if (!range.above || narrow > range.least) return narrow;
    }
    return left_out<float>(key, value, range.words);
  }

  // -1 has a meaning of its own in both containers.
  std::optional<std::int32_t> count(std::string_view key) const {
    if (key.empty()) return std::nullopt;
    const io::Value& value = document_[key];
    if (const auto read = value.as_int(); read && *read >= -1 && *read <= std::numeric_limits<std::int32_t>::max()) {
      return static_cast<std::int32_t>(*read);
    }
    return left_out<std::int32_t>(key, value, "an integer from -1 on");
  }

 private:
  template <typename T>
  std::optional<T> left_out(std::string_view key, const io::Value& value, std::string_view expected) const {
    if (!value.is_null() && log_) {  // null means that nothing is stated
      log_->write(LogLevel::warning, fmt::format("{}{} is {}, expected {}; the recommended sampling leaves it out",
                                                 names_.document, key, io::describe(value), expected));
    }
    return std::nullopt;
  }

  const io::Value& document_;
  const Names& names_;
  LogSink* log_;
};

void read_penalties(const Reader& reader, const Names& names, SamplingOptions& options) {
  options.repetition_penalty = reader.number(names.repetition_penalty, kFactor).value_or(options.repetition_penalty);
  options.frequency_penalty = reader.number(names.frequency_penalty, kFinite).value_or(options.frequency_penalty);
  options.presence_penalty = reader.number(names.presence_penalty, kFinite).value_or(options.presence_penalty);
  if (names.penalty_window.empty()) {  // the penalty of generation_config.json looks at the whole text
    if (options.repetition_penalty != 1.0f) options.penalty_window = kWholeText;
    return;
  }
  const auto window = reader.count(names.penalty_window);
  if (!window) return;
  if (*window == 0) {  // no penalties
    options.repetition_penalty = 1.0f;
    options.frequency_penalty = options.presence_penalty = 0.0f;
  } else {
    options.penalty_window = *window < 0 ? kWholeText : *window;
  }
}

}  // namespace

SamplingOptions recommended_sampling(const io::Checkpoint& checkpoint, LogSink* log) {
  const bool gguf = checkpoint.container == io::Container::gguf;
  const Names& names = gguf ? kGguf : kHuggingFace;
  const Reader reader(gguf ? checkpoint.config : checkpoint.generation_config, names, log);

  SamplingOptions options;
  const auto draws = reader.flag(names.do_sample);
  const auto temperature = reader.number(names.temperature, kTemperature);
  const auto top_k = reader.count(names.top_k);
  const auto top_p = reader.number(names.top_p, kTopP);
  const auto min_p = reader.number(names.min_p, kMinP);
  // Files of early releases of transformers state a temperature and no do_sample: they mean to draw.
  if (draws.value_or(temperature || top_k || top_p || min_p)) {
    options.temperature = temperature.value_or(1.0f);
    options.top_k = top_k && *top_k > 0 ? *top_k : 0;
    options.top_p = top_p.value_or(options.top_p);
    options.min_p = min_p.value_or(options.min_p);
  }
  read_penalties(reader, names, options);
  return options;
}

}  // namespace fathom
