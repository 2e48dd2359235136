#!/bin/bash
# Installs the pinned clang-format, and with --tidy also the pinned clang-tidy, into a virtual environment in the cache.
# Prints the folder of the programs. Versions of Debian differ from release to release, and so does what they print.
# usage: tests/tools.sh [--tidy]
set -euo pipefail
packages=(clang-format==19.1.7)
[[ ${1:-} == --tidy ]] && packages+=(clang-tidy==19.1.0.1)
name=$(IFS=+; echo "${packages[*]//==/-}")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/fathom/tools/$name
mkdir -p "${folder%/*}"
exec 9> "${folder%/*}/.lock"
flock 9
if [[ ! -e $folder/ready ]]; then
  echo "tools: installing ${packages[*]}" >&2
  rm -rf "$folder"
  python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  "$python" -m venv "$folder" >&2
  "$folder/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: "${packages[@]}" >&2
  touch "$folder/ready"
fi
echo "$folder/bin"
