#include "shared_model.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

std::shared_ptr<SharedModel> SharedModel::open(const std::string& path, std::int64_t threads) {
  static std::map<std::pair<std::string, std::int64_t>, std::weak_ptr<SharedModel>> models;
  std::erase_if(models, [](const auto& entry) { return entry.second.expired(); });
  auto& entry = models[{path, threads}];
  auto model = entry.lock();
  if (!model) {
    model.reset(new SharedModel(path, threads));
    entry = model;
  }
  return model;
}

SharedModel::SharedModel(std::string path, std::int64_t threads) : path_(std::move(path)) {
  loader_ = std::thread([this, threads] { load(threads); });
}

SharedModel::~SharedModel() {
  unwanted_ = true;
  loader_.join();
  fathom_model_release(model_);
  fathom_runtime_release(runtime_);
}

void SharedModel::load(std::int64_t threads) {
  fathom_runtime_options runtime_options = {};
  runtime_options.struct_size = sizeof runtime_options;
  // a number that is too large for the field is too large for the library, which says so
  runtime_options.threads = std::int32_t(std::min<std::int64_t>(threads, std::numeric_limits<std::int32_t>::max()));

  fathom_model_options model_options = {};
  model_options.struct_size = sizeof model_options;
  model_options.progress_user = this;
  model_options.progress = [](void* user, double done, const char*) -> std::int32_t {
    auto* self = static_cast<SharedModel*>(user);
    self->progress_ = done;
    return self->unwanted_;
  };

  if (fathom_runtime_create(&runtime_options, &runtime_) != FATHOM_OK ||
      fathom_model_open(runtime_, path_.data(), path_.size(), &model_options, &model_) != FATHOM_OK) {
    error_ = fathom_last_error();
  }
  ready_ = true;  // what was written above is seen by whoever sees this
}
