// fathom_model_*
#include "buffers.hpp"
#include "objects.hpp"
#include "options.hpp"
#include "structs.hpp"

namespace {

std::vector<fathom::MemoryFile> read_files(const fathom_memory_file* files, size_t count) {
  std::vector<fathom::MemoryFile> read;
  for (const fathom_memory_file& file : capi::read_array(files, count, "files")) {
    const auto bytes = capi::read_array(static_cast<const std::byte*>(file.data), file.data_size, "a file's data");
    read.push_back({capi::read_path(file.name, file.name_size), bytes});
  }
  return read;
}

}  // namespace

int32_t fathom_model_open(const fathom_runtime* runtime, const char* path, size_t path_size,
                          const fathom_model_options* options, fathom_model** model) {
  return capi::guard([&] {
    const auto used = capi::read(runtime, "runtime");
    capi::require(model != nullptr, "model is NULL");
    const fathom::ModelOptions wanted = capi::read_model_options(options);
    const std::string where = capi::read_path(path, path_size);
    std::unique_ptr<fathom::Model> opened;
    capi::watch_tasks([&] { opened = std::make_unique<fathom::Model>(fathom::Model::open(*used, where, wanted)); });
    *model = capi::make_handle<fathom_model>(used.host(), std::move(opened));
  });
}

int32_t fathom_model_open_memory(const fathom_runtime* runtime, const fathom_memory_file* files, size_t file_count,
                                 const fathom_model_options* options, fathom_model** model) {
  return capi::guard([&] {
    const auto used = capi::read(runtime, "runtime");
    capi::require(model != nullptr, "model is NULL");
    const fathom::ModelOptions wanted = capi::read_model_options(options);
    const auto given = read_files(files, file_count);
    std::unique_ptr<fathom::Model> opened;
    capi::watch_tasks([&] { opened = std::make_unique<fathom::Model>(fathom::Model::open_memory(*used, given, wanted)); });
    *model = capi::make_handle<fathom_model>(used.host(), std::move(opened));
  });
}

void fathom_model_release(fathom_model* model) { capi::release(model); }

int32_t fathom_model_get_info(const fathom_model* model, fathom_model_info* info) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    capi::require(info != nullptr, "info is NULL");
    const fathom::ModelInfo& known = used->info();
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
    result.heads = known.heads;
    result.kv_heads = known.kv_heads;
    result.experts = known.experts;
    result.experts_per_token = known.experts_per_token;
    result.parameters = known.parameters;
    result.weight_bytes = known.weight_bytes;
    result.cache_values_per_token = known.cache_values_per_token;
    result.automatic_cache = static_cast<int32_t>(known.automatic_cache);
    result.bos_token = known.has_tokenizer ? used->tokenizer().bos().value_or(-1) : -1;
    result.eos_token = known.has_tokenizer ? used->tokenizer().eos().value_or(-1) : -1;
    result.streams = known.streams.c_str();
    capi::write_result(result, info, "fathom_model_info");
  });
}

int32_t fathom_model_recommended_sampling(const fathom_model* model, fathom_sampling_options* sampling) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    capi::require(sampling != nullptr, "sampling is NULL");
    capi::write_result(capi::write_sampling(used->recommended_sampling()), sampling, "fathom_sampling_options");
  });
}

int32_t fathom_model_text(const fathom_model* model, const char* key, size_t key_size, char* text, size_t capacity,
                          size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    const std::string_view name = capi::read_string(key, key_size, "key");
    const auto found = used->text(name);
    if (!found) capi::fail(FATHOM_NOT_FOUND, "the checkpoint says nothing under '" + std::string(name) + "'");
    capi::write_array(*found, text, capacity, needed);
  });
}

int32_t fathom_model_text_key(const fathom_model* model, size_t index, char* key, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    const auto keys = used->text_keys();
    if (index >= keys.size()) {
      capi::fail(FATHOM_NOT_FOUND, "there is no key " + std::to_string(index) + " of " + std::to_string(keys.size()));
    }
    capi::write_array(keys[index], key, capacity, needed);
  });
}

int32_t fathom_model_fingerprint(const fathom_model* model, uint8_t* fingerprint) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    capi::require(fingerprint != nullptr, "fingerprint is NULL");
    const auto bytes = used->fingerprint();
    static_assert(bytes.size() == FATHOM_FINGERPRINT_SIZE);
    std::copy(bytes.begin(), bytes.end(), fingerprint);
  });
}
