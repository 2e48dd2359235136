#include "bench_report.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

const Ceilings* ceilings_of(const BenchReport& report, int threads) {
  const auto found =
      std::find_if(report.ceilings.begin(), report.ceilings.end(), [&](const Ceilings& c) { return c.threads == threads; });
  return found == report.ceilings.end() ? nullptr : &*found;
}

Rate dot_rate(const BenchReport& report, const Ceilings& ceilings) {
  const std::string kind = dot_kind(report);
  return kind == "int8" ? ceilings.int8_gop_per_s : kind == "bf16" ? ceilings.bf16_gop_per_s : ceilings.f32_gop_per_s;
}

std::string dot_instruction(const BenchReport& report) {
  const DotInstructions instructions = dot_instructions();
  const std::string kind = dot_kind(report);
  return kind == "int8" ? instructions.int8 : kind == "bf16" ? instructions.bf16 : instructions.f32;
}

double share(double rate, double ceiling) { return ceiling > 0 ? rate / ceiling : 0; }

// Name and microseconds of each part, and last what no part accounts for: taking in, handing out, waiting between steps.
std::vector<std::pair<const char*, double>> parts_of(const BenchRun& run) {
  const fathom::PartTimes& p = run.parts;
  std::vector<std::pair<const char*, double>> parts = {{"attention", p.attention_us}, {"router", p.router_us},
                                                       {"experts", p.experts_us},     {"mlp", p.mlp_us},
                                                       {"head", p.head_us},           {"other", p.other_us}};
  double rest = std::accumulate(run.seconds.begin(), run.seconds.end(), 0.0) * 1e6;
  for (const auto& [name, us] : parts) rest -= us;
  parts.emplace_back("outside", std::max(rest, 0.0));
  return parts;
}

std::string describe(const BenchRun& run) {
  std::string text = (run.generates ? "generate " : "prompt ") + std::to_string(run.tokens);
  if (run.depth > 0) text += " at " + std::to_string(run.depth);
  if (run.sessions > 1) text += " by " + std::to_string(run.sessions);
  return text;
}

Json rate_json(const Rate& rate) {
  if (rate.best == 0) return Json();
  return {{"best", rate.best}, {"median", rate.median}};
}

// null where there was no ceiling
Json share_json(double share) { return share > 0 ? Json(share) : Json(); }

Json run_json(const BenchReport& report, const BenchRun& run) {
  const RunSpeed speed = speed_of(report, run);
  Json object = {{"kind", run.generates ? "generation" : "prompt"},
                 {"threads", run.threads},
                 {"sessions", run.sessions},
                 {"tokens", run.tokens},
                 {"depth", run.depth},
                 {"tokens_per_s", {{"median", speed.tokens_per_s}, {"min", speed.least}, {"max", speed.most}}}};
  Json& each = object["repetitions"] = Json::array();
  for (const double seconds : run.seconds) each.push_back(run.tokens_per_s(seconds));
  if (run.generates) {
    object["weight_bytes_per_token"] = speed.weight_bytes_per_token;
    object["cache_bytes_per_token"] = speed.cache_bytes_per_token;
    object["gb_per_s"] = speed.gb_per_s;
    object["share_of_read_bandwidth"] = share_json(speed.share_of_reading);
  }
  object["gop_per_s"] = speed.gop_per_s;
  object["share_of_dot_products"] = share_json(speed.share_of_dots);
  Json& parts = object["us_per_token"] = Json::object();
  const double tokens = static_cast<double>(run.tokens * run.sessions) * static_cast<double>(run.seconds.size());
  for (const auto& [name, us] : parts_of(run)) parts[name] = us / tokens;
  return object;
}

}  // namespace

std::string dot_kind(const BenchReport& report) {
  if (report.format.starts_with("Q") || report.format.starts_with("IQ")) return "int8";
  // With AMX, floating weights meet activations as three terms of BF16: at most a third of that ceiling can be reached.
  const bool terms = report.isa == "amx_int8" && (report.format == "F8_E4M3" || report.format == "MXFP4");
  return (report.format == "BF16" || terms) && !dot_instructions().bf16.empty() ? "bf16" : "f32";
}

RunSpeed speed_of(const BenchReport& report, const BenchRun& run) {
  RunSpeed speed;
  const double seconds = median(run.seconds);
  speed.tokens_per_s = run.tokens_per_s(seconds);
  speed.most = run.tokens_per_s(*std::min_element(run.seconds.begin(), run.seconds.end()));
  speed.least = run.tokens_per_s(*std::max_element(run.seconds.begin(), run.seconds.end()));
  const Ceilings* ceilings = ceilings_of(report, run.threads);

  const double tokens = static_cast<double>(run.tokens * run.sessions);
  const double heads = run.generates ? tokens : 1.0;
  const double multiply_adds = tokens * static_cast<double>(report.model.multiply_adds_per_token) +
                               heads * static_cast<double>(report.model.head_multiply_adds);
  speed.gop_per_s = 2 * multiply_adds / seconds * 1e-9;
  if (ceilings) speed.share_of_dots = share(speed.gop_per_s, dot_rate(report, *ceilings).best);
  if (!run.generates) return speed;

  const auto experts = static_cast<double>(report.model.expert_bytes_per_token);
  const double joint_bytes = static_cast<double>(report.model.bytes_per_token) - experts + experts * run.experts_read;
  speed.weight_bytes_per_token = joint_bytes / run.sessions;
  const double rows = static_cast<double>(run.depth) + static_cast<double>(run.tokens + 1) / 2;
  speed.cache_bytes_per_token = rows * static_cast<double>(report.cache_row_bytes);
  speed.gb_per_s = (speed.weight_bytes_per_token + speed.cache_bytes_per_token) * speed.tokens_per_s * 1e-9;
  if (ceilings) speed.share_of_reading = share(speed.gb_per_s, ceilings->read_gb_per_s.best);
  return speed;
}

void print_heading(const BenchReport& report) {
  const fathom::ModelInfo& model = report.model;
  const std::string name = model.name.empty() ? model.path : model.name;
  std::printf("model    %s: %s, mostly %s, %.2f GB\n", name.c_str(), model.family.c_str(), report.format.c_str(),
              static_cast<double>(model.weight_bytes) * 1e-9);
  std::printf("a token  %.3f GB of weights read, %.2f GOP with them, %.1f kB of cache\n",
              static_cast<double>(model.bytes_per_token) * 1e-9,
              2e-9 * static_cast<double>(model.multiply_adds_per_token + model.head_multiply_adds),
              static_cast<double>(report.cache_row_bytes) * 1e-3);
  std::printf("kernels  %s\n", report.isa.c_str());
  for (const Ceilings& c : report.ceilings) {
    const Rate dots = dot_rate(report, c);
    std::printf("ceiling  %d thread%s: reads %.1f GB/s (median %.1f), ", c.threads, c.threads == 1 ? "" : "s",
                c.read_gb_per_s.best, c.read_gb_per_s.median);
    if (dots.best > 0) {
      std::printf("%s dot products %.0f GOP/s (median %.0f; %s)\n", dot_kind(report).c_str(), dots.best, dots.median,
                  dot_instruction(report).c_str());
    } else {
      std::printf("dot products not measured on this CPU\n");
    }
  }
  std::printf("loading  %.2f s\n", report.load_ms * 1e-3);
  std::printf("\n%-26s %7s %9s %9s %9s %9s %8s %9s  %s\n", "run", "threads", "tokens/s", "least", "most", "MB/token", "GB/s",
              "GOP/s", "of the ceiling");
  std::fflush(stdout);
}

void print_run(const BenchReport& report, const BenchRun& run) {
  const RunSpeed speed = speed_of(report, run);
  std::printf("%-26s %7d %9.2f %9.2f %9.2f ", describe(run).c_str(), run.threads, speed.tokens_per_s, speed.least, speed.most);
  if (run.generates) {
    std::printf("%9.1f %8.1f ", (speed.weight_bytes_per_token + speed.cache_bytes_per_token) * 1e-6, speed.gb_per_s);
  } else {
    std::printf("%9s %8s ", "", "");
  }
  std::printf("%9.1f  ", speed.gop_per_s);
  const double shown = run.generates ? speed.share_of_reading : speed.share_of_dots;
  if (shown > 0) {
    std::printf("%.0f %% of %s\n", shown * 100, run.generates ? "reading" : "dot products");
  } else {
    std::printf("not measured\n");
  }
  std::fflush(stdout);
}

void print_ending(const BenchReport& report) {
  std::printf("\n%-26s %7s", "microseconds a token", "threads");
  for (const auto& [name, us] : parts_of(report.runs.front())) std::printf(" %17s", name);
  std::printf("\n");
  for (const BenchRun& run : report.runs) {
    const auto parts = parts_of(run);
    double all = 0;
    for (const auto& [name, us] : parts) all += us;
    const double tokens = static_cast<double>(run.tokens * run.sessions) * static_cast<double>(run.seconds.size());
    std::printf("%-26s %7d", describe(run).c_str(), run.threads);
    for (const auto& [name, us] : parts) std::printf(" %9.1f (%3.0f %%)", us / tokens, 100 * us / all);
    std::printf("\n");
  }
  std::printf("\n");
  for (const auto& [threads, text] : report.streams) {
    std::printf("streams  %d thread%s: %s\n", threads, threads == 1 ? "" : "s", text.c_str());
  }
  std::printf("memory   %.0f MB resident, %.0f MB at most (mapped weights included)\n",
              static_cast<double>(report.resident_bytes) * 1e-6, static_cast<double>(report.peak_resident_bytes) * 1e-6);
}

Json to_json(const BenchReport& report) {
  const fathom::ModelInfo& model = report.model;
  const DotInstructions instructions = dot_instructions();
  Json object;
  object["model"] = {{"path", model.path},
                     {"name", model.name},
                     {"family", model.family},
                     {"format", report.format},
                     {"weight_bytes", model.weight_bytes},
                     {"bytes_per_token", model.bytes_per_token},
                     {"expert_bytes_per_token", model.expert_bytes_per_token},
                     {"multiply_adds_per_token", model.multiply_adds_per_token},
                     {"head_multiply_adds", model.head_multiply_adds},
                     {"cache_bytes_per_position", report.cache_row_bytes}};
  object["isa"] = report.isa;
  object["dot_products"] = dot_kind(report);
  object["instructions"] = {{"int8", instructions.int8}, {"bf16", instructions.bf16}, {"f32", instructions.f32}};
  Json& ceilings = object["ceilings"] = Json::array();
  for (const Ceilings& c : report.ceilings) {
    ceilings.push_back({{"threads", c.threads},
                        {"read_gb_per_s", rate_json(c.read_gb_per_s)},
                        {"int8_gop_per_s", rate_json(c.int8_gop_per_s)},
                        {"bf16_gop_per_s", rate_json(c.bf16_gop_per_s)},
                        {"f32_gop_per_s", rate_json(c.f32_gop_per_s)}});
  }
  object["load_ms"] = report.load_ms;
  Json& streams = object["streams"] = Json::array();
  for (const auto& [threads, text] : report.streams) streams.push_back({{"threads", threads}, {"prefetch", text}});
  Json& runs = object["runs"] = Json::array();
  for (const BenchRun& run : report.runs) runs.push_back(run_json(report, run));
  object["resident_bytes"] = report.resident_bytes;
  object["peak_resident_bytes"] = report.peak_resident_bytes;
  return object;
}

}  // namespace cli
