// fathom routes: which experts a mixture-of-experts model chose, token by token, and how evenly each layer used its own.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "arguments.hpp"
#include "command.hpp"
#include "loading.hpp"
#include "prompt.hpp"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  PromptArguments prompt;
  std::string output = "-";
};

// What a layer did with its experts. Of equals the first one is the most or least used.
struct LayerUse {
  std::int64_t layer;
  std::vector<std::uint64_t> choices;  // [experts], how often each was chosen

  std::ptrdiff_t most_used() const { return std::max_element(choices.begin(), choices.end()) - choices.begin(); }
  std::ptrdiff_t least_used() const { return std::min_element(choices.begin(), choices.end()) - choices.begin(); }
  double percent(std::ptrdiff_t expert) const {
    const auto all = std::accumulate(choices.begin(), choices.end(), std::uint64_t{0});
    return 100.0 * static_cast<double>(choices[static_cast<std::size_t>(expert)]) / static_cast<double>(all);
  }
};

// Of layers with experts.
std::vector<LayerUse> use_by_layer(const fathom::Session& session, std::int64_t layers) {
  std::vector<LayerUse> use;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    if (auto counts = session.route_totals(layer).counts; !counts.empty()) use.push_back({layer, std::move(counts)});
  }
  return use;
}

// `routes` by position, then layer.
Json to_json(const std::string& model, std::span<const fathom::TokenId> ids, std::span<const fathom::Route> routes,
             const std::vector<LayerUse>& use) {
  Json layers = Json::array(), uses = Json::array(), tokens = Json::array();
  for (const LayerUse& of : use) {
    layers.push_back(of.layer);
    uses.push_back(
        {{"layer", of.layer}, {"most_used", of.most_used()}, {"least_used", of.least_used()}, {"choices", of.choices}});
  }
  for (const fathom::Route& route : routes) {
    if (tokens.empty() || tokens.back()["position"] != route.position) {
      tokens.push_back(
          {{"position", route.position}, {"token", ids[static_cast<std::size_t>(route.position)]}, {"routes", Json::array()}});
    }
    tokens.back()["routes"].push_back({{"layer", route.layer}, {"experts", route.experts}, {"weights", route.weights}});
  }
  return {{"model", model}, {"layers", std::move(layers)}, {"use", std::move(uses)}, {"tokens", std::move(tokens)}};
}

void print_use(const std::vector<LayerUse>& use) {
  for (const LayerUse& of : use) {
    const std::ptrdiff_t most = of.most_used(), least = of.least_used();
    std::printf("layer %-3lld most used expert %3td (%5.2f %%), least used expert %3td (%5.2f %%), an even share %5.2f %%\n",
                static_cast<long long>(of.layer), most, of.percent(most), least, of.percent(least),
                100.0 / static_cast<double>(of.choices.size()));
  }
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
  const Prompt prompt = arguments.prompt.read();
  const LoadedModel loaded = load(arguments.model);
  if (loaded.model.info().experts == 0) throw std::runtime_error(arguments.model.path + " has no experts to route to");
  const std::vector<fathom::TokenId> ids = prompt.token_ids(loaded.model);

  fathom::SessionOptions options;
  options.context_length = static_cast<std::int64_t>(ids.size());
  options.cache = arguments.model.cache_format();
  options.trace_routes = options.count_routes = true;
  fathom::Session session(loaded.model, options);
  session.append(ids);
  session.step({.max_new_tokens = 0});
  const std::vector<LayerUse> use = use_by_layer(session, loaded.model.info().layers);
  const Json object = to_json(arguments.model.path, ids, session.take_routes(), use);
  write(arguments.output, object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (arguments.output != "-") print_use(use);
  return kOk;
}

}  // namespace

void add_routes(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("routes", "Write which experts were chosen for each token");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command);
  arguments->prompt.add_to(*command);
  command
      ->add_option("--output", arguments->output,
                   "The JSON file to write, and print each layer's most and least used expert; -: JSON on standard output")
      ->capture_default_str();
  command->footer(
      "{\"model\", \"layers\": [those with experts], \"use\": [{\"layer\", \"most_used\", \"least_used\", \"choices\": [of "
      "each "
      "expert]}], \"tokens\": [{\"position\", \"token\", \"routes\": [{\"layer\", \"experts\", \"weights\"}]}]}\n"
      "Examples:\n"
      "  fathom routes DeepSeek-V2-Lite/ --prompt 'Once upon a time' --output routes.json\n"
      "  fathom routes Mixtral-8x7B.gguf --tokens 1,2,3");
  command->callback([arguments, &chosen] { chosen = [arguments] { return routes(*arguments); }; });
}

}  // namespace cli
