#!/bin/bash
# Installs what is missing, builds with tests (Release, in build-tests/) and runs every test. Ends with ctest's summary.
# usage: tests/run.sh [CTEST ARGUMENTS]        for example: tests/run.sh -R conformance
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix=$(cmake/dependencies.sh --tests)
launcher=()
if command -v ccache > /dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
cmake -S . -B build-tests -G Ninja -DCMAKE_BUILD_TYPE=Release -DFATHOM_BUILD_TESTS=ON -DFATHOM_BUILD_EXAMPLES=ON \
  -DFATHOM_DEPS_PREFIX="$prefix" "${launcher[@]}"
cmake --build build-tests
ctest --test-dir build-tests --output-on-failure --parallel "$(nproc)" --timeout 900 "$@"
