// What generation_config.json and general.sampling.* recommend, and what they cannot spoil.
#include "run/recommended_sampling.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "io/json.hpp"
#include "io/open.hpp"
#include "run/sampler.hpp"

using namespace fathom;

namespace {

class Lines final : public LogSink {
 public:
  void write(LogLevel level, std::string_view message) noexcept override {
    CHECK(level == LogLevel::warning);
    lines.emplace_back(message);
  }
  std::vector<std::string> lines;
};

struct Recommendation {
  SamplingOptions options;
  std::vector<std::string> warnings;
};

Recommendation read(io::Container container, const std::string& json) {
  io::Checkpoint checkpoint;
  checkpoint.container = container;
  (container == io::Container::gguf ? checkpoint.config : checkpoint.generation_config) = io::parse_json(json, "test");
  Lines log;
  Recommendation read{recommended_sampling(checkpoint, &log), {}};
  CHECK_NOTHROW(Sampler(8, 8).configure(read.options));  // whatever the file says
  const SamplingOptions silent = recommended_sampling(checkpoint, nullptr);
  CHECK(silent.temperature == read.options.temperature);
  read.warnings = log.lines;
  return read;
}

Recommendation folder(const std::string& json) { return read(io::Container::huggingface, json); }
Recommendation gguf(const std::string& json) { return read(io::Container::gguf, json); }

void check_greedy(const SamplingOptions& options) {
  const SamplingOptions greedy;
  CHECK(options.temperature == 0.0f);
  CHECK(options.top_k == greedy.top_k);
  CHECK(options.top_p == greedy.top_p);
  CHECK(options.min_p == greedy.min_p);
  CHECK(options.repetition_penalty == greedy.repetition_penalty);
  CHECK(options.frequency_penalty == greedy.frequency_penalty);
  CHECK(options.presence_penalty == greedy.presence_penalty);
  CHECK(options.penalty_window == greedy.penalty_window);
  CHECK(options.seed == 0);
}

}  // namespace

TEST_CASE("a checkpoint that recommends nothing is greedy") {
  for (const char* json : {"{}", "null", "[]", R"({"eos_token_id": 2, "max_length": 4096})", R"({"do_sample": false})"}) {
    CAPTURE(json);
    for (const Recommendation& read : {folder(json), gguf(json)}) {
      check_greedy(read.options);
      CHECK(read.warnings.empty());
    }
  }
}

TEST_CASE("generation_config.json is read") {
  const auto [options, warnings] = folder(R"({"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.05,
                                              "repetition_penalty": 1.1})");
  CHECK(options.temperature == 0.6f);
  CHECK(options.top_k == 20);
  CHECK(options.top_p == 0.95f);
  CHECK(options.min_p == 0.05f);
  CHECK(options.repetition_penalty == 1.1f);
  CHECK(options.penalty_window == std::numeric_limits<std::int32_t>::max());
  CHECK(warnings.empty());
}

TEST_CASE("do_sample decides whether tokens are drawn") {
  check_greedy(folder(R"({"do_sample": false, "temperature": 0.6, "top_p": 0.9, "top_k": 50})").options);
  CHECK(folder(R"({"do_sample": true})").options.temperature == 1.0f);
  CHECK(folder(R"({"do_sample": true, "temperature": 0})").options.temperature == 0.0f);
  CHECK(folder(R"({"do_sample": true, "temperature": null, "top_k": 5})").options.temperature == 1.0f);
  CHECK(folder(R"({"do_sample": null, "temperature": 0.9})").options.temperature == 0.9f);
  CHECK(folder(R"({"temperature": 0.9, "top_p": 0.6})").options.top_p == 0.6f);
  CHECK(folder(R"({"top_k": 5})").options.temperature == 1.0f);
  // A penalty alone leaves the likeliest token the choice.
  const SamplingOptions penalised = folder(R"({"do_sample": false, "repetition_penalty": 1.05})").options;
  CHECK(penalised.temperature == 0.0f);
  CHECK(penalised.repetition_penalty == 1.05f);
}

TEST_CASE("general.sampling.* is read") {
  const auto [options, warnings] =
      gguf(R"({"general.sampling.temp": 0.7, "general.sampling.top_k": 40, "general.sampling.top_p": 0.8,
      "general.sampling.min_p": 0.01, "general.sampling.penalty_repeat": 1.05, "general.sampling.penalty_freq": 0.25,
      "general.sampling.penalty_present": 1.5, "general.sampling.penalty_last_n": 64, "general.sampling.mirostat": 0})");
  CHECK(options.temperature == 0.7f);
  CHECK(options.top_k == 40);
  CHECK(options.top_p == 0.8f);
  CHECK(options.min_p == 0.01f);
  CHECK(options.repetition_penalty == 1.05f);
  CHECK(options.frequency_penalty == 0.25f);
  CHECK(options.presence_penalty == 1.5f);
  CHECK(options.penalty_window == 64);
  CHECK(warnings.empty());
  check_greedy(gguf(R"({"temperature": 0.7, "do_sample": true})").options);
  check_greedy(folder(R"({"general.sampling.temp": 0.7})").options);
}

TEST_CASE("-1 means all tokens and the whole text, 0 of penalty_last_n no penalties") {
  CHECK(gguf(R"({"general.sampling.temp": 1, "general.sampling.top_k": -1})").options.top_k == 0);
  const char* whole = R"({"general.sampling.penalty_repeat": 1.1, "general.sampling.penalty_last_n": -1})";
  CHECK(gguf(whole).options.penalty_window == std::numeric_limits<std::int32_t>::max());
  const SamplingOptions none = gguf(R"({"general.sampling.penalty_repeat": 1.1, "general.sampling.penalty_freq": 1,
                                        "general.sampling.penalty_last_n": 0})")
                                   .options;
  check_greedy(none);
}

TEST_CASE("values of another type or out of range are left out and logged, one by one") {
  const std::string valid = R"("do_sample": true, "top_k": 7)";
  for (const char* bad :
       {R"("temperature": -0.1)", R"("temperature": NaN)", R"("temperature": Infinity)", R"("temperature": 1e300)",
        R"("temperature": "0.6")", R"("temperature": true)", R"("temperature": [0.6])", R"("temperature": {})", R"("top_p": 0)",
        R"("top_p": 1.01)", R"("top_p": -1)", R"("top_p": 1e-60)", R"("min_p": 1.5)", R"("min_p": -0.5)",
        R"("repetition_penalty": 0)", R"("repetition_penalty": -1)", R"("repetition_penalty": 1e-60)",
        R"("repetition_penalty": 1e39)"}) {
    CAPTURE(bad);
    const auto [options, warnings] = folder("{" + valid + ", " + bad + "}");
    CHECK(options.temperature == 1.0f);
    CHECK(options.top_k == 7);
    CHECK(options.top_p == 1.0f);
    CHECK(options.min_p == 0.0f);
    CHECK(options.repetition_penalty == 1.0f);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].starts_with("generation_config.json: "));
    const std::string quoted(bad);
    CHECK(warnings[0].find(quoted.substr(1, quoted.find('"', 1) - 1)) != std::string::npos);
  }
  for (const char* bad : {R"("top_k": -2)", R"("top_k": 2.5)", R"("top_k": 4294967296)", R"("top_k": "5")"}) {
    CAPTURE(bad);
    const auto [options, warnings] = folder(std::string(R"({"do_sample": true, "temperature": 0.5, )") + bad + "}");
    CHECK(options.temperature == 0.5f);
    CHECK(options.top_k == 0);
    CHECK(warnings.size() == 1);
  }
  const auto [options, warnings] = folder(R"({"do_sample": "yes"})");
  check_greedy(options);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("do_sample is 'yes', expected true or false") != std::string::npos);
  CHECK(gguf(R"({"general.sampling.penalty_last_n": -2})").warnings.size() == 1);
}
