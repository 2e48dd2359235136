// fathom routes: which experts a mixture-of-experts model chose, token by token.
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "arguments.hpp"
#include "command.hpp"
#include "loading.hpp"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  PromptArguments prompt;
  std::string output = "-";
};

// `routes` by position, then layer.
Json to_json(const std::string& model, std::span<const fathom::TokenId> ids, std::span<const fathom::Route> routes) {
  std::set<std::int32_t> layers;
  Json tokens = Json::array();
  for (const fathom::Route& route : routes) {
    if (tokens.empty() || tokens.back()["position"] != route.position) {
      tokens.push_back(
          {{"position", route.position}, {"token", ids[static_cast<std::size_t>(route.position)]}, {"routes", Json::array()}});
    }
    tokens.back()["routes"].push_back({{"layer", route.layer}, {"experts", route.experts}, {"weights", route.weights}});
    layers.insert(route.layer);
  }
  return {{"model", model}, {"layers", layers}, {"tokens", std::move(tokens)}};
}

void write(const std::string& path, const std::string& content) {
  if (path == "-") {
    std::cout << content;
    return;
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  out.close();
  if (!out) throw std::runtime_error(path + " cannot be written");
}

int routes(const Arguments& arguments) {
  arguments.prompt.check();
  const LoadedModel loaded = load(arguments.model);
  if (loaded.model.info().experts == 0) throw std::runtime_error(arguments.model.path + " has no experts to route to");
  const std::vector<fathom::TokenId> ids = arguments.prompt.token_ids(loaded.model);

  fathom::SessionOptions options;
  options.context_length = static_cast<std::int64_t>(ids.size());
  options.cache = arguments.model.cache_format();
  options.trace_routes = true;
  fathom::Session session(loaded.model, options);
  session.append(ids);
  session.step({.max_new_tokens = 0});
  const Json object = to_json(arguments.model.path, ids, session.take_routes());
  write(arguments.output, object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  return kOk;
}

}  // namespace

void add_routes(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("routes", "Write which experts were chosen for each token");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command);
  arguments->prompt.add_to(*command);
  command->add_option("--output", arguments->output, "The JSON file to write; -: standard output")->capture_default_str();
  command->footer(
      "{\"model\", \"layers\": [those with experts], \"tokens\": [{\"position\", \"token\", \"routes\": [{\"layer\", "
      "\"experts\", "
      "\"weights\"}]}]}\n"
      "Examples:\n"
      "  fathom routes DeepSeek-V2-Lite/ --prompt 'Once upon a time' --output routes.json\n"
      "  fathom routes Mixtral-8x7B.gguf --tokens 1,2,3");
  command->callback([arguments, &chosen] { chosen = [arguments] { return routes(*arguments); }; });
}

}  // namespace cli
