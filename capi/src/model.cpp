// fathom_model_*
#include "buffers.hpp"
#include "handles.hpp"
#include "structs.hpp"

namespace {

// The host's function, as the C++ API wants it. A host written in C++ may let an exception out; it ends here.
std::function<bool(double, std::string_view)> adapt(fathom_progress progress, void* user) {
  if (progress == nullptr) return {};
  return [progress, user](double done, std::string_view what) {
    const std::string terminated(what);
    try {
      return progress(user, done, terminated.c_str()) == 0;
    } catch (...) {
      capi::fail(FATHOM_CALLBACK_FAILED, "the progress callback threw an exception");
    }
  };
}

}  // namespace

int32_t fathom_model_open(const fathom_runtime* runtime, const char* path, size_t path_size,
                          const fathom_model_options* options, fathom_model** model) {
  return capi::guard([&] {
    capi::require(runtime != nullptr, "runtime is NULL");
    capi::require(model != nullptr, "model is NULL");
    const auto given = capi::read_options(options, "fathom_model_options");
    fathom::ModelOptions wanted;
    wanted.verify = capi::read_flag(given.verify, "fathom_model_options.verify");
    wanted.progress = adapt(given.progress, given.progress_user);
    const std::string where(capi::read_string(path, path_size, "path"));
    capi::require(where.find('\0') == where.npos, "the path contains a zero byte");
    *model = new fathom_model{fathom::Model::open(runtime->value, where, wanted)};
  });
}

void fathom_model_release(fathom_model* model) { delete model; }

int32_t fathom_model_get_info(const fathom_model* model, fathom_model_info* info) {
  return capi::guard([&] {
    capi::require(model != nullptr, "model is NULL");
    capi::require(info != nullptr, "info is NULL");
    const fathom::ModelInfo& known = model->value.info();
    fathom_model_info result = {};
    result.has_tokenizer = known.has_tokenizer ? 1 : 0;
    result.family = known.family.c_str();
    result.container = known.container.c_str();
    result.name = known.name.c_str();
    result.chat_format = known.chat_format.c_str();
    result.layers = known.layers;
    result.hidden_size = known.hidden_size;
    result.vocab_size = known.vocab_size;
    result.context_length = known.context_length;
    result.experts = known.experts;
    result.experts_per_token = known.experts_per_token;
    result.parameters = known.parameters;
    result.weight_bytes = known.weight_bytes;
    result.cache_values_per_token = known.cache_values_per_token;
    result.automatic_cache = static_cast<int32_t>(known.automatic_cache);
    capi::write_result(result, info, "fathom_model_info");
  });
}
