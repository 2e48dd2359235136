// What a Runtime holds.
#pragma once

#include <memory>

#include "base/allocator.hpp"
#include "base/file_system.hpp"
#include "base/task_system.hpp"
#include "fathom/runtime.hpp"
#include "model/pass/network.hpp"
#include "platform/cpu_features.hpp"

namespace fathom {

struct Runtime::Impl {
  Allocator* allocator = nullptr;
  FileSystem* files = nullptr;
  LogSink* log = nullptr;
  TaskSystem* tasks = nullptr;
  std::unique_ptr<TaskSystem> own_tasks;
  Isa isa = Isa::scalar;
  std::shared_ptr<const Engine> engine;
};

}  // namespace fathom
