// Memory limits and CPU quotas that Linux control groups (cgroups) put on a process: what a container may use of its machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fathom {

struct ContainerLimits {
  std::optional<std::int64_t> memory_bytes;  // the lowest limit of the process's groups and their ancestors; nothing: no limit
  std::optional<int> cpus;                   // the lowest CPU quota of them, in processors, rounded up; at least 1
};

// Reads proc/self/cgroup, proc/self/mountinfo and the mounted groups under `root` ("" for the system itself). Both versions of
// the interface count, also where they are mounted side by side. A file that is missing or has no number gives no limit.
ContainerLimits read_container_limits(const std::string& root);

// The limits of this process; none where the system does not tell.
ContainerLimits container_limits() noexcept;

}  // namespace fathom
