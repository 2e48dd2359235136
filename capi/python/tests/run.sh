#!/bin/bash
# Builds the wheel as the README says, installs it into a fresh virtual environment and runs the tests there: without NumPy, then
# with the system's.
# usage: run.sh FOLDER LIBRARY.so LAYOUT MODEL
set -euo pipefail
package=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$1 library=$2 layout=$3 model=$4
python=/usr/bin/python3
[[ -x $python ]] || python=python3
export PYTHONDONTWRITEBYTECODE=1
rm -rf "$folder"
mkdir -p "$folder/wheel"
"$python" -m venv "$folder/fresh"
"$python" "$package/tests/test_wheel.py" "$folder/fresh/bin/python" "$library" "$folder/wheel"
for site in "" --system-site-packages; do
  rm -rf "$folder/environment"
  "$python" -m venv $site "$folder/environment"
  "$folder/environment/bin/pip" install -q --no-index --no-deps --disable-pip-version-check "$folder"/wheel/libfathom-*.whl
  for test in fathom arguments generation interrupts; do
    (cd "$folder" && "$folder/environment/bin/python" "$package/tests/test_$test.py" "$layout" "$model")
  done
done
