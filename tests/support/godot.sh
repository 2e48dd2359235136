#!/bin/bash
# Prints a command that runs Godot 4: $FATHOM_GODOT where that is set, or else Debian's package from a newer suite. That is
# fetched once, with its libraries, into a folder in the cache (160 MB to fetch, 520 MB on disk); nothing is installed.
set -euo pipefail
if [[ -n ${FATHOM_GODOT:-} ]]; then
  echo "$FATHOM_GODOT"
  exit 0
fi
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/fathom/godot
mkdir -p "$folder"
exec 9> "$folder/lock"
flock 9
if [[ ! -e $folder/ready ]]; then
  for suite in forky sid; do # the same package; when one suite is in the middle of a change, the other need not be
    rm -rf "$folder/debian"
    if "$source/cmake/debian-program.sh" "$suite" godot "$folder/debian" &&
      "$folder/debian/run" godot --version --headless >&2; then
      touch "$folder/ready"
      break
    fi
  done
fi
[[ -e $folder/ready ]] || { echo "godot.sh: no Godot could be had; set FATHOM_GODOT to the command of one" >&2; exit 1; }
echo "$folder/debian/run godot"
