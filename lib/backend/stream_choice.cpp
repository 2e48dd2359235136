#include "backend/stream_choice.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "kernels/prefetch_rows.hpp"

namespace fathom {
namespace {

using kernels::kPrefetchKinds;
using kernels::kPrefetchRows;
using kernels::Prefetch;
using kernels::StreamPrefetch;

constexpr std::string_view kBuiltIn = "builtin";

std::string_view name_of(const Prefetch& how) noexcept {
  for (const auto& row : kPrefetchRows) {
    if (row.how == how) return row.name;
  }
  return "?";
}

std::string known_names() {
  std::string names;
  for (const auto& row : kPrefetchRows) names.append(names.empty() ? "" : ", ").append(row.name);
  return names;
}

Prefetch find_row(std::string_view name, std::string_view part) {
  for (const auto& row : kPrefetchRows) {
    if (row.name == name) return row.how;
  }
  fail(Status::invalid_argument, "streams: '{}' in '{}' is no prefetch, expected one of {}", name, part, known_names());
}

StorageFormat find_format(std::string_view name, std::string_view part) {
  for (int i = 0; i < kernels::kFormats; ++i) {
    if (storage_layout(StorageFormat(i)).name == name) return StorageFormat(i);
  }
  fail(Status::invalid_argument, "streams: '{}' in '{}' is no storage format", name, part);
}

// What stands before the first `separator`; `text` keeps what stands behind it.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

}  // namespace

StreamChoice::StreamChoice(const kernels::KernelTable& kernels) noexcept {
  for (std::size_t i = 0; i < prefetch_.size(); ++i) {
    choosable_[i] = kernels.prefetch[i] != nullptr;
    if (choosable_[i]) prefetch_[i] = *kernels.prefetch[i];
  }
}

const StreamPrefetch* StreamChoice::of(StorageFormat format) const noexcept {
  const std::size_t i = std::size_t(format);
  return i < prefetch_.size() && choosable_[i] ? &prefetch_[i] : nullptr;
}

void StreamChoice::set(StorageFormat format, const StreamPrefetch& prefetch) noexcept {
  prefetch_[std::size_t(format)] = prefetch;
  listed_[std::size_t(format)] = true;
}

std::string StreamChoice::text() const {
  std::string text;
  for (std::size_t i = 0; i < prefetch_.size(); ++i) {
    if (!listed_[i]) continue;
    text.append(text.empty() ? "" : " ").append(storage_layout(StorageFormat(i)).name);
    for (int kind = 0; kind < kPrefetchKinds; ++kind) text.append(kind ? "," : "=").append(name_of(prefetch_[i].of[kind]));
  }
  return text.empty() ? std::string(kBuiltIn) : text;
}

StreamChoice StreamChoice::parse(const kernels::KernelTable& kernels, std::string_view text) {
  StreamChoice choice(kernels);
  if (text == kBuiltIn) return choice;
  while (!text.empty()) {
    const std::string_view part = take(text, ' ');
    std::string_view names = part;
    const StorageFormat format = find_format(take(names, '='), part);
    StreamPrefetch prefetch{};
    for (Prefetch& how : prefetch.of) how = find_row(take(names, ','), part);
    if (!names.empty()) {
      fail(Status::invalid_argument, "streams: '{}' names more than {} prefetches", part, kPrefetchKinds);
    }
    if (choice.of(format)) choice.set(format, prefetch);
  }
  return choice;
}

}  // namespace fathom
