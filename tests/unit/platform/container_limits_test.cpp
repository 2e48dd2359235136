#include "platform/container_limits.hpp"

#include <doctest/doctest.h>

#include "support/temporary_folder.hpp"

using namespace fathom;
using fathom::test::TemporaryFolder;

namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

// A machine's files: what a test does not write is not there.
class Machine {
 public:
  void groups(const std::string& text) { folder_.put("proc/self/cgroup", text); }
  // Each line: the mounted group, the mount point, the type, the options of the file system.
  void mount(const std::string& root, const std::string& point, const std::string& type, const std::string& options) {
    mounts_ +=
        "31 23 0:28 " + root + " " + point + " rw,relatime shared:9 master:1 - " + type + " " + type + " " + options + "\n";
    folder_.put("proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw\n" + mounts_);
  }
  void put(const std::string& path, const std::string& text) { folder_.put(path, text + "\n"); }
  ContainerLimits limits() const { return read_container_limits(folder_.path()); }

 private:
  TemporaryFolder folder_;
  std::string mounts_;
};

// One hierarchy of version 2 at the usual place.
Machine unified(const std::string& group) {
  Machine machine;
  machine.groups("0::" + group + "\n");
  machine.mount("/", "/sys/fs/cgroup", "cgroup2", "rw,nsdelegate");
  return machine;
}

}  // namespace

TEST_CASE("a machine without groups has no limits") {
  const ContainerLimits none = Machine().limits();
  CHECK_FALSE(none.memory_bytes);
  CHECK_FALSE(none.cpus);
}

TEST_CASE("version 2: the lowest of the process's group and every ancestor counts") {
  for (const std::string lowest : {"a/b/c", "a/b", "a"}) {
    CAPTURE(lowest);
    Machine machine = unified("/a/b/c");
    for (const std::string group : {"a/b/c", "a/b", "a"}) {
      machine.put("sys/fs/cgroup/" + group + "/memory.max", std::to_string(group == lowest ? 2 * kGiB : 3 * kGiB));
      machine.put("sys/fs/cgroup/" + group + "/cpu.max", group == lowest ? "150000 100000" : "800000 100000");
    }
    CHECK(machine.limits().memory_bytes == 2 * kGiB);
    CHECK(machine.limits().cpus == 2);
  }
}

TEST_CASE("version 2: memory.high slows a process down as memory.max ends it, so both are limits") {
  Machine machine = unified("/a");
  machine.put("sys/fs/cgroup/a/memory.max", std::to_string(3 * kGiB));
  machine.put("sys/fs/cgroup/a/memory.high", std::to_string(kGiB));
  CHECK(machine.limits().memory_bytes == kGiB);
  machine.put("sys/fs/cgroup/a/memory.high", "max");
  CHECK(machine.limits().memory_bytes == 3 * kGiB);
  machine.put("sys/fs/cgroup/a/memory.max", "max");
  CHECK_FALSE(machine.limits().memory_bytes);
}

TEST_CASE("version 2: a group that the process is not in does not count") {
  Machine machine = unified("/a/b");
  machine.put("sys/fs/cgroup/a/other/memory.max", "4096");
  machine.put("sys/fs/cgroup/a/b/c/memory.max", "4096");
  machine.put("sys/fs/cgroup/ab/memory.max", "4096");
  CHECK_FALSE(machine.limits().memory_bytes);
}

TEST_CASE("in a namespace of its own a container's limits lie in the root it sees") {
  Machine machine = unified("/");
  machine.put("sys/fs/cgroup/memory.max", std::to_string(kGiB));
  machine.put("sys/fs/cgroup/cpu.max", "300000 100000");
  CHECK(machine.limits().memory_bytes == kGiB);
  CHECK(machine.limits().cpus == 3);
}

TEST_CASE("a CPU quota is rounded up to whole processors, and is at least one") {
  const std::pair<const char*, std::optional<int>> cases[] = {{"100000 100000", 1}, {"100001 100000", 2},
                                                              {"1000 100000", 1},   {"250000 100000", 3},
                                                              {"200000 50000", 4},  {"max 100000", {}},
                                                              {"100000 0", {}},     {"99999999999999999 1", 2147483647},
                                                              {"100000", {}},       {"", {}}};
  for (const auto& [text, cpus] : cases) {
    CAPTURE(text);
    Machine machine = unified("/a");
    machine.put("sys/fs/cgroup/a/cpu.max", text);
    CHECK(machine.limits().cpus == cpus);
  }
}

TEST_CASE("version 1: limits of memory and of CPU lie in hierarchies of their own") {
  Machine machine;
  machine.groups("7:cpu,cpuacct:/a/b\n4:memory:/m/n\n3:cpuset:/a\n");
  machine.mount("/", "/sys/fs/cgroup/memory", "cgroup", "rw,memory");
  machine.mount("/", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct");
  machine.mount("/", "/sys/fs/cgroup/cpuset", "cgroup", "rw,cpuset");
  machine.put("sys/fs/cgroup/memory/m/n/memory.limit_in_bytes", "9223372036854771712");  // the kernel's word for none
  machine.put("sys/fs/cgroup/memory/m/memory.limit_in_bytes", std::to_string(5 * kGiB));
  machine.put("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1");
  machine.put("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000");
  machine.put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "350000");
  machine.put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000");
  machine.put("sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us", "1000");
  machine.put("sys/fs/cgroup/cpuset/a/cpu.cfs_period_us", "100000");
  CHECK(machine.limits().memory_bytes == 5 * kGiB);
  CHECK(machine.limits().cpus == 4);
}

TEST_CASE("version 1: memory.stat tells the limit of ancestors outside the container") {
  Machine machine;
  machine.groups("4:memory:/docker/x\n");
  machine.mount("/docker/x", "/sys/fs/cgroup/memory", "cgroup", "rw,memory");
  machine.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  machine.put("sys/fs/cgroup/memory/memory.stat",
              "cache 1\nhierarchical_memory_limit 1073741824\nhierarchical_memsw_limit 4096\nswap 0");
  CHECK(machine.limits().memory_bytes == kGiB);
}

TEST_CASE("both versions side by side: each controller counts where it is") {
  Machine machine;
  machine.groups("4:memory:/old\n1:name=systemd:/s\n0::/new\n");
  machine.mount("/", "/sys/fs/cgroup/memory", "cgroup", "rw,memory");
  machine.mount("/", "/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,name=systemd");
  machine.mount("/", "/sys/fs/cgroup/unified", "cgroup2", "rw");
  machine.put("sys/fs/cgroup/memory/old/memory.limit_in_bytes", std::to_string(2 * kGiB));
  machine.put("sys/fs/cgroup/unified/new/cpu.max", "500000 100000");
  machine.put("sys/fs/cgroup/unified/old/memory.max", "4096");
  machine.put("sys/fs/cgroup/systemd/s/memory.limit_in_bytes", "4096");
  CHECK(machine.limits().memory_bytes == 2 * kGiB);
  CHECK(machine.limits().cpus == 5);
}

TEST_CASE("a mount shows a part of the hierarchy, at any place, also one with a blank in its name") {
  Machine machine;
  machine.groups("0::/kubepods/pod 1/container\n");
  machine.mount("/kubepods/pod\\0401", "/mnt/my\\040groups", "cgroup2", "rw");
  machine.put("mnt/my groups/memory.max", std::to_string(3 * kGiB));
  machine.put("mnt/my groups/container/memory.max", std::to_string(4 * kGiB));
  CHECK(machine.limits().memory_bytes == 3 * kGiB);
  machine.put("mnt/my groups/container/memory.max", std::to_string(kGiB));
  CHECK(machine.limits().memory_bytes == kGiB);
}

TEST_CASE("a mount of another branch says nothing about this process") {
  for (const std::string branch : {"/a/other", "/a/bc", "/a/b/c/d"}) {
    CAPTURE(branch);
    Machine machine;
    machine.groups("0::/a/b/c\n");
    machine.mount(branch, "/sys/fs/cgroup", "cgroup2", "rw");
    machine.put("sys/fs/cgroup/memory.max", "4096");
    machine.put("sys/fs/cgroup/c/memory.max", "4096");
    CHECK_FALSE(machine.limits().memory_bytes);
  }
}

TEST_CASE("nested namespaces: a mount from further out than the process sees is an ancestor") {
  Machine machine;
  machine.groups("0::/inner\n");
  machine.mount("/../..", "/sys/fs/cgroup", "cgroup2", "rw");
  machine.put("sys/fs/cgroup/memory.max", std::to_string(2 * kGiB));
  machine.put("sys/fs/cgroup/inner/memory.max", "4096");  // of that name by chance: groups between have names of their own
  CHECK(machine.limits().memory_bytes == 2 * kGiB);
}

TEST_CASE("nested namespaces: a process outside the root of its namespace is found from a mount further out") {
  Machine machine;
  machine.groups("0::/../sibling\n");
  machine.mount("/..", "/sys/fs/cgroup", "cgroup2", "rw");
  machine.mount("/", "/mnt/own", "cgroup2", "rw");
  machine.put("sys/fs/cgroup/sibling/memory.max", std::to_string(kGiB));
  machine.put("mnt/own/memory.max", "4096");  // the process is not below this one
  CHECK(machine.limits().memory_bytes == kGiB);
}

TEST_CASE("files that are no such files give no limits") {
  const char* const kBroken[] = {"", "\n", "::", "0", "0:", "0::", "x:memory", "4:memory:", "- - -", "\xff\xfe"};
  for (const std::string groups : kBroken) {
    for (const std::string mounts : kBroken) {
      TemporaryFolder folder;
      folder.put("proc/self/cgroup", groups);
      folder.put("proc/self/mountinfo", mounts);
      CHECK_FALSE(read_container_limits(folder.path()).memory_bytes);
    }
  }
  Machine machine = unified("/a");
  machine.put("sys/fs/cgroup/a/memory.max", "lots");
  machine.put("sys/fs/cgroup/a/cpu.max", "many 100000");
  CHECK_FALSE(machine.limits().memory_bytes);
  CHECK_FALSE(machine.limits().cpus);
}

TEST_CASE("this process's limits can be asked at any time") {
  const ContainerLimits limits = container_limits();
  CHECK(limits.memory_bytes.value_or(1) >= 0);
  CHECK(limits.cpus.value_or(1) >= 1);
}
