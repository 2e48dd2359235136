// Linux: Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.high, cpu.max), cgroup-v1/memory.rst
// (memory.limit_in_bytes, memory.stat), scheduler/sched-bwc.rst (cpu.cfs_quota_us), filesystems/proc.rst (mountinfo).
#include "platform/container_limits.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <new>
#include <span>
#include <string_view>
#include <vector>

namespace fathom {
namespace {

#if defined(O_CLOEXEC)
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
#else
constexpr int kOpenFlags = O_RDONLY | O_NONBLOCK;
#endif

constexpr std::size_t kMaxFileBytes = std::size_t{4} << 20;  // of mountinfo, on machines with thousands of mounts

// The file's text, empty where there is none.
std::string read_file(const std::string& path) {
  const int file = ::open(path.c_str(), kOpenFlags);
  if (file < 0) return {};
  std::string text;
  try {
    char part[4096];
    for (ssize_t got; text.size() < kMaxFileBytes && (got = ::read(file, part, sizeof part)) != 0;) {
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) break;
      text.append(part, std::size_t(got));
    }
  } catch (...) {
    ::close(file);
    throw;
  }
  ::close(file);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) pieces.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

// The number that the text begins with; nothing for "max", "-1", and what passes 64 bits: no limit.
std::optional<std::int64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  return value;
}

template <typename T>
void lower(std::optional<T>& limit, std::optional<T> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

// A hierarchy of groups that this process is in, as proc/self/cgroup lists it: "4:memory:/a/b", "0::/a/b" for version 2.
struct Membership {
  std::vector<std::string_view> controllers;
  std::vector<std::string_view> path;
};

std::vector<Membership> parse_memberships(std::string_view text) {
  std::vector<Membership> all;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    all.push_back({split(line.substr(first + 1, second - first - 1), ','), split(line.substr(second + 1), '/')});
  }
  return all;
}

// mountinfo writes a blank as \040, and likewise the other characters that would end a field.
std::string unescape(std::string_view field) {
  std::string text;
  const auto octal = [&](std::size_t at) { return at < field.size() && field[at] >= '0' && field[at] <= '7'; };
  for (std::size_t at = 0; at < field.size();) {
    if (field[at] == '\\' && octal(at + 1) && octal(at + 2) && octal(at + 3)) {
      text += char((field[at + 1] - '0') * 64 + (field[at + 2] - '0') * 8 + (field[at + 3] - '0'));
      at += 4;
    } else {
      text += field[at++];
    }
  }
  return text;
}

// A mounted hierarchy: its group `root` is the folder `point`.
struct Mount {
  bool version_2 = false;
  std::string root;
  std::string point;
  std::string_view options;  // controllers of version 1 among them
};

// "31 23 0:28 ROOT POINT OPTIONS TAGS... - TYPE SOURCE OPTIONS"
std::vector<Mount> parse_mounts(std::string_view text) {
  std::vector<Mount> mounts;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    if (dash[1] != "cgroup" && dash[1] != "cgroup2") continue;
    mounts.push_back({dash[1] == "cgroup2", unescape(fields[3]), unescape(fields[4]), dash[3]});
  }
  return mounts;
}

bool contains(const std::vector<std::string_view>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool all_upward(std::span<const std::string_view> path) {
  return std::all_of(path.begin(), path.end(), [](std::string_view step) { return step == ".."; });
}

// The steps from a mounted group down to the process's group; nothing where the mount does not hold it. Both paths begin at the
// root of the process's namespace and may lead out of it by "..". A mount of a group further out than the process's path tells
// is an ancestor, but the names of the groups between are unknown: no steps then, so that its own limits count.
std::optional<std::vector<std::string_view>> steps_below(const std::vector<std::string_view>& mounted,
                                                         const std::vector<std::string_view>& group) {
  const auto [end, rest] = std::mismatch(mounted.begin(), mounted.end(), group.begin(), group.end());
  if (end == mounted.end()) {
    if (rest != group.end() && *rest == "..") return std::nullopt;
    return std::vector<std::string_view>(rest, group.end());
  }
  if (all_upward(mounted)) return std::vector<std::string_view>();
  return std::nullopt;
}

// The least of quota / period, rounded up.
std::optional<int> processors(std::optional<std::int64_t> quota, std::optional<std::int64_t> period) {
  if (!quota || !period || *period <= 0) return std::nullopt;
  const std::int64_t whole = *quota / *period + (*quota % *period != 0 ? 1 : 0);
  return int(std::clamp<std::int64_t>(whole, 1, std::numeric_limits<int>::max()));
}

void apply_version_2(const std::string& group, ContainerLimits& limits) {
  lower(limits.memory_bytes, leading_number(read_file(group + "/memory.max")));
  lower(limits.memory_bytes, leading_number(read_file(group + "/memory.high")));
  const std::string quota = read_file(group + "/cpu.max");
  const std::size_t blank = quota.find(' ');
  if (blank != quota.npos) {
    lower(limits.cpus, processors(leading_number(quota), leading_number(std::string_view(quota).substr(blank))));
  }
}

// The group's own limit and, from memory.stat, the lowest of ancestors that this process may not see.
void apply_version_1_memory(const std::string& group, ContainerLimits& limits) {
  constexpr std::string_view kOfAncestors = "hierarchical_memory_limit ";
  lower(limits.memory_bytes, leading_number(read_file(group + "/memory.limit_in_bytes")));
  const std::string statistics = read_file(group + "/memory.stat");
  for (const std::string_view line : split(statistics, '\n')) {
    if (line.starts_with(kOfAncestors)) lower(limits.memory_bytes, leading_number(line.substr(kOfAncestors.size())));
  }
}

void apply_version_1_cpu(const std::string& group, ContainerLimits& limits) {
  lower(limits.cpus, processors(leading_number(read_file(group + "/cpu.cfs_quota_us")),
                                leading_number(read_file(group + "/cpu.cfs_period_us"))));
}

}  // namespace

ContainerLimits read_container_limits(const std::string& root) {
  const std::string groups = read_file(root + "/proc/self/cgroup"), mountinfo = read_file(root + "/proc/self/mountinfo");
  const std::vector<Membership> memberships = parse_memberships(groups);
  ContainerLimits limits;
  for (const Mount& mount : parse_mounts(mountinfo)) {
    const std::vector<std::string_view> mounted = split(mount.root, '/'), controllers = split(mount.options, ',');
    for (const Membership& member : memberships) {
      if (mount.version_2 != member.controllers.empty()) continue;
      const auto has = [&](std::string_view name) { return contains(member.controllers, name) && contains(controllers, name); };
      const bool memory = !mount.version_2 && has("memory"), cpu = !mount.version_2 && has("cpu");
      const auto steps = steps_below(mounted, member.path);
      if (!steps || (!mount.version_2 && !memory && !cpu)) continue;
      std::string group = root + mount.point;
      for (std::size_t depth = 0;; ++depth) {  // from the mounted group down to the process's own
        if (mount.version_2) apply_version_2(group, limits);
        if (memory) apply_version_1_memory(group, limits);
        if (cpu) apply_version_1_cpu(group, limits);
        if (depth == steps->size()) break;
        group.append("/").append((*steps)[depth]);
      }
    }
  }
  return limits;
}

ContainerLimits container_limits() noexcept {
  try {
    return read_container_limits("");
  } catch (const std::bad_alloc&) {
    return {};
  }
}

}  // namespace fathom
