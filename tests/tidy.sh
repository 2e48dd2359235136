#!/bin/bash
# Runs the pinned clang-tidy with .clang-tidy over lib/ and capi/src. All files take as long as building them, so this is no part of
# the gate. Without arguments it looks at the files that differ from the main branch.
# usage: tests/tidy.sh [--all | FILES...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=build-tests
[[ -e $folder/compile_commands.json ]] || cmake --preset dev > /dev/null
tidy=$(tests/tools.sh --tidy)/clang-tidy
case ${1:-} in
  --all) mapfile -t files < <(git ls-files 'lib/*.cpp' 'capi/src/*.cpp') ;;
  "")
    base=$(git merge-base HEAD origin/main 2> /dev/null || git merge-base HEAD main)
    mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- 'lib/*.cpp' 'capi/src/*.cpp')
    ;;
  *) files=("$@") ;;
esac
((${#files[@]})) || { echo "no file of lib/ or capi/src differs"; exit 0; }
# The instruction-set sources are left out: they are compiled with flags of gcc, several times each.
printf '%s\n' "${files[@]}" | grep -vE '^lib/kernels/(avx|amx|matmul_q8|fixed_point)' |
  xargs -r -P "$(nproc)" -n 1 "$tidy" -p "$folder" --quiet --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option
echo "clang-tidy found nothing in ${#files[@]} files"
