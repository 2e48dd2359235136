// A model that nodes share: a village of speakers reads one set of weights.
#pragma once

#include <fathom.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

// Made and asked on the main thread; loads on a thread of its own, so that no frame waits. With the last shared_ptr go the
// weights; a load under way is stopped first, which takes as long as the step it is at.
class SharedModel {
 public:
  // The same object for the same path and threads while somebody has it.
  static std::shared_ptr<SharedModel> open(const std::string& path, std::int64_t threads);
  ~SharedModel();

  SharedModel(const SharedModel&) = delete;
  SharedModel& operator=(const SharedModel&) = delete;

  bool ready() const { return ready_; }
  double progress() const { return progress_; }  // 0 to 1

  // Once ready: the model, or NULL and why there is none.
  const fathom_model* get() const { return model_; }
  const std::string& error() const { return error_; }

 private:
  SharedModel(std::string path, std::int64_t threads);
  void load(std::int64_t threads);

  const std::string path_;
  std::string error_;
  fathom_runtime* runtime_ = nullptr;
  fathom_model* model_ = nullptr;
  std::atomic<double> progress_ = 0.0;
  std::atomic<bool> ready_ = false, unwanted_ = false;
  std::thread loader_;
};
