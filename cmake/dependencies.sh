#!/bin/bash
# Installs what fathom builds on: Debian's packages, and static libraries for what Debian lacks, built once into a cached prefix.
# usage: cmake/dependencies.sh [--tests] [--fuzz]
#   --tests   also what the tests and benchmarks need
#   --fuzz    also what the fuzzing targets need
# Prints the prefix as the last line on stdout (progress goes to stderr); pass it to CMake as -DFATHOM_DEPS_PREFIX=... or let CMake
# find it in the default place. FATHOM_DEPS_PREFIX in the environment chooses another place. See README.md beside this file.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { echo "dependencies: $*" >&2; }
die() { say "$*"; exit 1; }

packages=(g++ cmake ninja-build dpkg-dev ccache libeigen3-dev libcli11-dev nlohmann-json3-dev
  python3 python3-pip)
for option in "$@"; do
  case $option in
    --tests) packages+=(doctest-dev libbenchmark-dev python3-numpy python3-venv python3-setuptools python3-wheel pkg-config
      abigail-tools qemu-user mono-mcs mono-runtime valgrind) ;;
    --fuzz) packages+=(clang-16 libclang-rt-16-dev llvm-16) ;;
    -h|--help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option $option (there are --tests and --fuzz)" ;;
  esac
done

# ---- Debian's packages

command -v dpkg-query >/dev/null || die "this script is for Debian; elsewhere install ${packages[*]} and simdjson by other means"

missing_packages() {
  comm -23 <(printf '%s\n' "${packages[@]}" | sort) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}
mapfile -t missing < <(missing_packages)
if ((${#missing[@]})); then
  as_root=()
  if (($(id -u))); then
    command -v sudo >/dev/null || die "not root and no sudo; ask an administrator to run: apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get -q update >&2 || say "the package lists could not be refreshed; trying with the present ones"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" >&2 ||
    die "could not install ${missing[*]}; is this machine offline? Install them by hand, then run this again"
fi

# ---- What Debian lacks

# A change of any of these makes another prefix, so that a build made with older settings is never taken for a newer one.
onednn_version=3.7.2 onednn_suite=trixie
simdjson_version=3.0.1 simdjson_suite=bookworm
fmt_version=9.1.0 fmt_suite=bookworm
pcre2_version=10.46 pcre2_suite=trixie
utf8proc_version=2 utf8proc_suite=forky # any release with the tables below: the suite is not settled yet
unicode_version=16 # of the tables of PCRE2 and utf8proc, at least
cxx=${CXX:-g++} cc=${CC:-gcc}
flags="-fPIC -ffunction-sections -fdata-sections -DNDEBUG"
arch=$(uname -m)
with_onednn=no
[[ $arch == x86_64 ]] && with_onednn=yes # its ukernels exist only there
recipe=$( { echo 4 "$onednn_suite $simdjson_suite $fmt_suite $pcre2_suite $utf8proc_suite $unicode_version $flags"; "$cxx" --version | head -n 1; cat "$here"/onednn/*; } | sha256sum | cut -c 1-8)
compiler=$("$cxx" -dumpfullversion 2>/dev/null || "$cxx" -dumpversion)
key=onednn$onednn_version-simdjson$simdjson_version-fmt$fmt_version-pcre2_$pcre2_version-$(basename "$cxx")$compiler-$arch-$recipe
[[ $with_onednn == yes ]] || key=simdjson${key#*-simdjson}

prefix=${FATHOM_DEPS_PREFIX:-${XDG_CACHE_HOME:-$HOME/.cache}/fathom/deps/$key}
marker=fathom-deps.txt # its first line is the key; it is there only when all of the prefix is
is_complete() { [[ -f $prefix/$marker && $(head -n 1 "$prefix/$marker") == "$key" ]]; }

if is_complete; then
  echo "$prefix"
  exit 0
fi
if [[ -e $prefix && ! -f $prefix/$marker && -n $(ls -A "$prefix") ]]; then
  die "$prefix exists and was not made by this script; empty it or set FATHOM_DEPS_PREFIX to another folder"
fi

parent=$(dirname "$prefix")
mkdir -p "$parent"
exec 9> "$parent/.fathom-deps.lock"
flock -n 9 || { say "waiting for another run that builds the dependencies"; flock 9; }
if is_complete; then
  echo "$prefix"
  exit 0
fi

# beside the prefix, so that the final move is one rename within a file system
rm -rf "$parent"/.fathom-deps-build.* # of runs that were killed: the lock is ours
work=$(mktemp -d "$parent/.fathom-deps-build.XXXXXX")
trap 'rm -rf "$work"' EXIT
stage=$work/stage
mkdir -p "$stage/lib" "$stage/include" "$stage/licenses"
started=$SECONDS
export CCACHE_BASEDIR=$work # the folder's name differs each time, which must not make ccache miss
cxx_command=("$cxx") cc_command=("$cc") launcher=()
if command -v ccache >/dev/null; then
  cxx_command=(ccache "$cxx") cc_command=(ccache "$cc") launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
fi

# Runs a command whose output matters only when it fails.
quietly() { "$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }; }

# fetch SUITE PACKAGE VERSION: unpacks the source and sets $source
fetch() {
  say "fetching the source of $2 $3 (Debian $1)"
  quietly sh "$here/debian-source.sh" "$1" "$2" "$work/src" ||
    die "could not fetch the source of $2 from Debian's suite $1; is this machine offline?"
  # asked for by package only, as a suite keeps one version; another one may not fit the recipe below
  for source in "$work/src/$2-$3"*/; do [[ -d $source ]] && { source=${source%/}; return; }; done
  die "Debian's suite $1 no longer has $2 $3 but $(cd "$work/src" && ls -d "$2"-*/): the recipe in cmake/dependencies.sh needs an update"
}

# True where the whole archive can go into a shared library, with nothing left undefined and no text relocations.
links_into_shared_library() {
  "$cxx" -shared -Wl,-z,defs -Wl,-z,text -o "$work/probe.so" -Wl,--whole-archive "$1" -Wl,--no-whole-archive -lpthread > "$work/log" 2>&1
}

build_simdjson() {
  fetch $simdjson_suite simdjson $simdjson_version
  say "building simdjson"
  # One source file holds it all, so its own build system would add nothing. It asks the environment for the implementation to use.
  printf '#include <cstdlib>\n#define getenv(name) nullptr\n#include "simdjson.cpp"\n' > "$work/without_environment.cpp"
  quietly "${cxx_command[@]}" -std=c++17 -O2 $flags -I"$source/include" -I"$source/src" -c "$work/without_environment.cpp" -o "$work/simdjson.o"
  quietly ar rcs "$stage/lib/libsimdjson.a" "$work/simdjson.o"
  cp -r "$source/include/simdjson" "$source/include/simdjson.h" "$stage/include/"
  cp "$source/LICENSE" "$stage/licenses/simdjson"
}

build_fmt() {
  fetch $fmt_suite fmtlib $fmt_version
  say "building fmt"
  quietly "${cxx_command[@]}" -std=c++17 -O2 $flags -I"$source/include" -c "$source/src/format.cc" -o "$work/fmt.o"
  quietly ar rcs "$stage/lib/libfmt.a" "$work/fmt.o"
  cp -r "$source/include/fmt" "$stage/include/"
  cp "$source/LICENSE.rst" "$stage/licenses/fmt"
}

build_onednn() {
  fetch $onednn_suite onednn $onednn_version
  say "building oneDNN's ukernels (a minute or two)"
  # Debian's package asks for spdlog, which only its logging option uses
  mkdir -p "$work/spdlog"
  : > "$work/spdlog/spdlogConfig.cmake"
  # -O1: what is compiled here only writes the code that does the work. No -m flags: the machine is looked at when it runs.
  quietly cmake -S "$source" -B "$work/onednn" -G Ninja "${launcher[@]}" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_PROJECT_INCLUDE="$here/onednn/Slim.cmake" -Dspdlog_DIR="$work/spdlog" \
    -DDNNL_LIBRARY_TYPE=STATIC -DDNNL_CPU_RUNTIME=SEQ -DDNNL_GPU_RUNTIME=NONE -DDNNL_EXPERIMENTAL_UKERNEL=ON -DONEDNN_BUILD_GRAPH=OFF \
    -DDNNL_BUILD_TESTS=OFF -DDNNL_BUILD_EXAMPLES=OFF -DDNNL_BUILD_DOC=OFF -DDNNL_ENABLE_WORKLOAD=INFERENCE \
    -DDNNL_ENABLE_JIT_PROFILING=OFF -DDNNL_ENABLE_ITT_TASKS=OFF -DDNNL_ENABLE_PRIMITIVE_CACHE=OFF -DDNNL_ENABLE_CONCURRENT_EXEC=ON \
    -DONEDNN_ENABLE_GEMM_KERNELS_ISA=NONE -DDNNL_VERBOSE=OFF -DDNNL_ARCH_OPT_FLAGS= \
    -DDNNL_ENABLE_MAX_CPU_ISA=OFF -DDNNL_ENABLE_CPU_ISA_HINTS=OFF # they read the environment
  quietly cmake --build "$work/onednn"
  local archive
  archive=$(find "$work/onednn/src" -maxdepth 1 -name libdnnl.a)
  # another name than the full library's, for which it is no replacement
  cp "$archive" "$stage/lib/libdnnl_ukernel.a"
  links_into_shared_library "$stage/lib/libdnnl_ukernel.a" || { cat "$work/log" >&2; die "oneDNN's ukernels do not link: cmake/onednn/Slim.cmake misses a file"; }
  mkdir -p "$stage/include/oneapi/dnnl"
  cp "$source"/include/oneapi/dnnl/{dnnl.h,dnnl_common.h,dnnl_common_types.h,dnnl_types.h,dnnl_ukernel.h,dnnl_ukernel_types.h} \
    "$work/onednn"/include/oneapi/dnnl/{dnnl_config.h,dnnl_version.h} "$stage/include/oneapi/dnnl/"
  [[ -f $work/onednn/include/oneapi/dnnl/dnnl_version_hash.h ]] && cp "$work/onednn/include/oneapi/dnnl/dnnl_version_hash.h" "$stage/include/oneapi/dnnl/"
  cp "$source/LICENSE" "$stage/licenses/onednn"
  cp "$source/THIRD-PARTY-PROGRAMS" "$stage/licenses/onednn-third-party"
}

# require_unicode NAME ARCHIVE HEADER EXPRESSION: ends the script unless the library's tables are new enough. A character that they do
# not know is no letter and no symbol, and text around it falls into other tokens.
require_unicode() {
  printf '#include <stdio.h>\n#include <%s>\nint main(void) { char text[64] = ""; %s; puts(text); return 0; }\n' "$3" "$4" > "$work/unicode.c"
  quietly "$cc" -DPCRE2_CODE_UNIT_WIDTH=8 -DPCRE2_STATIC -DUTF8PROC_STATIC -I"$stage/include" "$work/unicode.c" "$2" -o "$work/unicode"
  local found
  found=$("$work/unicode")
  say "$1 has Unicode $found"
  ((${found%%.*} >= unicode_version)) || die "$1 has the tables of Unicode $found, not $unicode_version or newer: the recipe in cmake/dependencies.sh needs an update"
}

build_pcre2() {
  fetch $pcre2_suite pcre2 $pcre2_version
  say "building PCRE2"
  quietly cmake -S "$source" -B "$work/pcre2" -G Ninja "${launcher[@]}" -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS="$flags" \
    -DBUILD_SHARED_LIBS=OFF -DPCRE2_SUPPORT_UNICODE=ON -DPCRE2_SUPPORT_JIT=ON -DPCRE2_BUILD_PCRE2GREP=OFF -DPCRE2_BUILD_TESTS=OFF
  quietly cmake --build "$work/pcre2" --target pcre2-8-static
  cp "$work/pcre2/libpcre2-8.a" "$stage/lib/"
  find "$work/pcre2" -name pcre2.h -exec cp {} "$stage/include/" \;
  cp "$source"/LICEN[CS]E* "$stage/licenses/pcre2"
  links_into_shared_library "$stage/lib/libpcre2-8.a" || { cat "$work/log" >&2; die "PCRE2 does not link into a shared library"; }
  require_unicode PCRE2 "$stage/lib/libpcre2-8.a" pcre2.h 'pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, text)'
}

build_utf8proc() {
  fetch $utf8proc_suite utf8proc $utf8proc_version
  say "building utf8proc"
  # its Makefile would build a shared library and run its tests; one source file holds it all
  quietly "${cc_command[@]}" -O2 $flags -DUTF8PROC_STATIC -c "$source/utf8proc.c" -o "$work/utf8proc.o"
  quietly ar rcs "$stage/lib/libutf8proc.a" "$work/utf8proc.o"
  cp "$source/utf8proc.h" "$stage/include/"
  cp "$source/LICENSE.md" "$stage/licenses/utf8proc"
  utf8proc_version=${source##*/utf8proc-}
  links_into_shared_library "$stage/lib/libutf8proc.a" || { cat "$work/log" >&2; die "utf8proc does not link into a shared library"; }
  require_unicode utf8proc "$stage/lib/libutf8proc.a" utf8proc.h 'snprintf(text, sizeof text, "%s", utf8proc_unicode_version())'
}

build_simdjson
build_fmt
build_pcre2
build_utf8proc
[[ $with_onednn == yes ]] && build_onednn

{
  echo "$key"
  echo "simdjson $simdjson_version from Debian $simdjson_suite"
  echo "fmt $fmt_version from Debian $fmt_suite"
  echo "pcre2 $pcre2_version from Debian $pcre2_suite"
  echo "utf8proc $utf8proc_version from Debian $utf8proc_suite"
  [[ $with_onednn == yes ]] && echo "onednn $onednn_version from Debian $onednn_suite, ukernel C functions only"
  echo "flags $flags"
} > "$stage/$marker"
rm -rf "$prefix"
mv "$stage" "$prefix"
say "built in $((SECONDS - started)) s"
echo "$prefix"
