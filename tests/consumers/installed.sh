#!/bin/bash
# What an installed fathom consists of, and what a build without it says.
# usage: installed.sh files PREFIX                       every file that users are promised is there
#        installed.sh partial FOLDER SOURCE [CMAKE ARGUMENTS]   installing before building ends with what to do, and installs nothing
set -euo pipefail

case $1 in
  files)
    for pattern in bin/fathom include/fathom.h include/fathom_experimental.h include/fathom/session.hpp 'lib*/libfathom.a' \
      'lib*/libfathom.so.1' 'lib*/libfathom_experimental.so.1' 'share/doc/*/LICENSE' 'share/doc/*/CHANGELOG.md'; do
      [[ -n $(find "$2" -path "$2/$pattern" -o -path "$2/${pattern/lib\*/lib/*}") ]] || { echo "$pattern is not installed"; exit 1; }
    done
    ;;
  partial)
    folder=$2 source=$3
    shift 3
    rm -rf "$folder"
    cmake -S "$source" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DFATHOM_BUILD_TESTS=OFF "$@" > /dev/null
    if cmake --install "$folder/build" --prefix "$folder/prefix" > "$folder/said" 2>&1; then
      echo "nothing is built, and yet it was installed"
      exit 1
    fi
    tr -s ' \n' ' ' < "$folder/said"
    tr -s ' \n' ' ' < "$folder/said" | grep -qF "run \`cmake --build $folder/build\`"
    [[ ! -e $folder/prefix ]]
    ;;
esac
