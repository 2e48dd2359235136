// fathom inspect: what a checkpoint is and whether it runs, from its headers alone.
#include <cinttypes>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "arguments.hpp"
#include "command.hpp"
#include "fathom/model.hpp"
#include "limits.hpp"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string path;
  std::int64_t context = 0;
  bool json = false;
  bool tensors = false;
};

struct FormatTotal {
  std::int64_t count = 0;
  std::int64_t bytes = 0;
};

std::map<std::string, FormatTotal> totals_by_format(const fathom::Inspection& inspection) {
  std::map<std::string, FormatTotal> totals;
  for (const auto& tensor : inspection.tensors) {
    FormatTotal& total = totals[tensor.format];
    ++total.count;
    total.bytes += tensor.bytes;
  }
  return totals;
}

// In the format that CacheFormat::automatic means.
std::int64_t cache_bytes_per_token(const fathom::ModelInfo& info) {
  return cache_bytes(info.cache_values_per_token, info.automatic_cache);
}

std::int64_t context_length(const Arguments& arguments, const fathom::ModelInfo& info) {
  return arguments.context > 0 ? arguments.context : info.context_length;
}

std::int64_t cache_bytes(const Arguments& arguments, const fathom::ModelInfo& info) {
  return cache_bytes_per_token(info) * context_length(arguments, info);
}

// Weights, one session's cache, and the scratch memory that sessions share.
std::int64_t total_bytes(const Arguments& arguments, const fathom::Inspection& inspection) {
  return inspection.info.weight_bytes + cache_bytes(arguments, inspection.info) + inspection.session.scratch_bytes;
}

// Numbers and flags as such, everything else as text.
Json typed(const std::string& value) {
  Json parsed = Json::parse(value, nullptr, false);
  return parsed.is_number() || parsed.is_boolean() ? parsed : Json(value);
}

Json to_json(const Arguments& arguments, const fathom::Inspection& inspection) {
  const fathom::ModelInfo& info = inspection.info;
  Json object = {{"path", info.path},           {"name", info.name},       {"family", info.family},
                 {"container", info.container}, {"runs", inspection.runs}, {"reason", inspection.reason}};
  Json& configuration = object["configuration"] = Json::object();
  for (const auto& [name, value] : inspection.configuration) configuration[name] = typed(value);
  object["parameters"] = info.parameters;
  object["weight_bytes"] = info.weight_bytes;
  object["context_length"] = info.context_length;
  object["cache_bytes_per_token"] = cache_bytes_per_token(info);
  object["memory"] = {{"context", context_length(arguments, info)},
                      {"weight_bytes", info.weight_bytes},
                      {"cache_bytes", cache_bytes(arguments, info)},
                      {"scratch_bytes", inspection.session.scratch_bytes},
                      {"total_bytes", total_bytes(arguments, inspection)}};
  object["has_tokenizer"] = info.has_tokenizer;
  object["chat_format"] = info.chat_format;
  Json& formats = object["formats"] = Json::object();
  for (const auto& [name, total] : totals_by_format(inspection))
    formats[name] = {{"count", total.count}, {"bytes", total.bytes}};
  Json& tensors = object["tensors"] = Json::array();
  for (const auto& tensor : inspection.tensors) {
    tensors.push_back({{"name", tensor.name}, {"format", tensor.format}, {"shape", tensor.shape}, {"bytes", tensor.bytes}});
  }
  return object;
}

std::string size_text(std::int64_t bytes) {
  const char* const units[] = {"bytes", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::ostringstream text;
  for (std::size_t i = 0; i < shape.size(); ++i) text << (i ? " x " : "") << shape[i];
  return text.str();
}

void print_row(const char* name, const std::string& value) { std::printf("%-24s%s\n", name, value.c_str()); }

void print_table(const Arguments& arguments, const fathom::Inspection& inspection) {
  const fathom::ModelInfo& info = inspection.info;
  print_row("path", info.path);
  if (!info.name.empty()) print_row("name", info.name);
  print_row("family", info.family.empty() ? "unknown" : info.family);
  print_row("container", info.container);
  print_row("runs here", inspection.runs ? "yes" : "no: " + inspection.reason);
  print_row("parameters", std::to_string(info.parameters));
  print_row("weights", size_text(info.weight_bytes));
  print_row("context length", std::to_string(info.context_length));
  print_row("cache per token", size_text(cache_bytes_per_token(info)));
  print_row("memory needed", size_text(total_bytes(arguments, inspection)) + " for weights, a cache of " +
                                 std::to_string(context_length(arguments, info)) + " tokens and scratch memory");
  const std::string lack = inspection.runs && !inspection.reason.empty() ? ": " + inspection.reason : "";
  print_row("tokenizer", info.has_tokenizer ? "yes" : "none: only token ids" + lack);
  if (info.has_tokenizer) print_row("chat format", info.chat_format.empty() ? "none of the built-in ones" : info.chat_format);

  std::printf("\nconfiguration\n");
  for (const auto& [name, value] : inspection.configuration) std::printf("  %-38s%s\n", name.c_str(), value.c_str());
  std::printf("\n%zu tensors\n", inspection.tensors.size());
  for (const auto& [name, total] : totals_by_format(inspection)) {
    std::printf("  %-10s%8" PRId64 "  %s\n", name.c_str(), total.count, size_text(total.bytes).c_str());
  }
  if (!arguments.tensors) return;
  std::printf("\n");
  for (const auto& tensor : inspection.tensors) {
    std::printf("  %-10s%-22s%s\n", tensor.format.c_str(), shape_text(tensor.shape).c_str(), tensor.name.c_str());
  }
}

int inspect(const Arguments& arguments) {
  fathom::RuntimeOptions options;
  options.threads = 1;
  const fathom::Runtime runtime(options);
  const fathom::Inspection inspection = fathom::inspect(runtime, arguments.path);
  if (arguments.json) {
    std::cout << to_json(arguments, inspection).dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    print_table(arguments, inspection);
  }
  return kOk;
}

}  // namespace

void add_inspect(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("inspect", "Say what a checkpoint is, what it needs and whether it runs");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("MODEL", arguments->path, "Hugging Face folder or .gguf file")->required();
  command->add_option("--context", arguments->context, "Context length to estimate the memory for; by default the model's")
      ->check(integer(1, kMostTokens));
  command->add_flag("--json", arguments->json, "One JSON object on standard output");
  command->add_flag("--tensors", arguments->tensors, "List every tensor (--json always does)");
  command->footer(
      "No weights are read. A checkpoint that cannot run is described all the same, with the reason; the exit code is 0.\n"
      "Examples:\n"
      "  fathom inspect DeepSeek-V2-Lite/ --context 32768\n"
      "  fathom inspect model.gguf --json");
  command->callback([arguments, &chosen] { chosen = [arguments] { return inspect(*arguments); }; });
}

}  // namespace cli
