#!/bin/bash
# Installs what is missing, builds the preset `dev` (build-tests/) and runs every test. Ends with ctest's summary.
# usage: tests/run.sh [CTEST ARGUMENTS]        for example: tests/run.sh -L quick, tests/run.sh -R conformance
#        tests/run.sh --build                  builds only
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix=$(cmake/dependencies.sh --tests)
# Without the pinned formatter, which needs the network once, the tests named format_* fail and the others run.
formatter=$(tests/tools.sh)/clang-format || formatter=clang-format
if command -v ccache > /dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache # CMake reads them when it makes a folder
fi
cmake --preset dev -DFATHOM_DEPS_PREFIX="$prefix" -DFATHOM_CLANG_FORMAT="$formatter"
cmake --build --preset dev
if [[ ${1:-} == --build ]]; then exit; fi
ctest --preset dev --parallel "$(nproc)" --timeout 900 "$@"
