#!/bin/bash
# Builds one consumer in a folder of its own and runs its programs.
# usage: build.sh find_package|pkg_config|add_subdirectory|FetchContent FOLDER PREFIX_OR_SOURCE [CMAKE ARGUMENTS]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
way=$1 folder=$2 from=$3
shift 3
rm -rf "$folder"
mkdir -p "$folder"

case $way in
  find_package)
    # a prefix that was moved must do
    cp -a "$from" "$folder/moved"
    cmake -S "$here/find_package" -B "$folder/build" -DCMAKE_PREFIX_PATH="$folder/moved"
    cmake --build "$folder/build"
    "$folder/build/use_c" && "$folder/build/use_cpp" && "$folder/build/use_experimental"
    ;;
  pkg_config)
    PKG_CONFIG_PATH=$(dirname "$(find "$from" -name fathom.pc)")
    export PKG_CONFIG_PATH
    read -ra flags < <(pkg-config --cflags --libs fathom)
    cc -std=c99 -Wall -Werror "$here/use.c" -o "$folder/use_c" "${flags[@]}"
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir fathom) "$folder/use_c"
    ;;
  *)
    cmake -S "$here/subdirectory" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWAY="$way" -DFATHOM_SOURCE="$from" "$@"
    if [[ $way == FetchContent ]]; then
      cmake --build "$folder/build" --target use_c use_cpp
      "$folder/build/use_c" && "$folder/build/use_cpp"
    else
      ninja -C "$folder/build" -n use_c use_cpp > "$folder/plan"
      grep -q 'Linking CXX executable use_cpp' "$folder/plan"
    fi
    # a guest installs nothing and tests nothing
    ! grep -q "libfathom" "$folder/build/cmake_install.cmake"
    ! ctest --test-dir "$folder/build" -N | grep -q "unit_"
    ;;
esac
