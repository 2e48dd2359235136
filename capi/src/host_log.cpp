// fathom_log_sink as a fathom::LogSink
#include "host.hpp"

namespace capi {
namespace {

class HostLog final : public fathom::LogSink {
 public:
  explicit HostLog(const fathom_log_sink& hook) : hook_(hook) {}

  void write(fathom::LogLevel level, std::string_view message) noexcept override {
    try {
      hook_.write(hook_.user, static_cast<int32_t>(level), message.data(), message.size());
    } catch (...) {  // a line is lost, nothing else
    }
  }

 private:
  const fathom_log_sink hook_;
};

}  // namespace

std::unique_ptr<fathom::LogSink> adapt(const fathom_log_sink& hook) {
  require(hook.write != nullptr, "fathom_log_sink needs write");
  return std::make_unique<HostLog>(hook);
}

}  // namespace capi
