#!/bin/bash
# Builds the wheel, installs it into a fresh virtual environment and runs the tests there: without NumPy, then with the system's.
# usage: run.sh FOLDER LIBRARY.so LAYOUT MODEL
set -euo pipefail
package=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$1 library=$2 layout=$3 model=$4
python=/usr/bin/python3
[[ -x $python ]] || python=python3
rm -rf "$folder"
mkdir -p "$folder"
cp -a "$package" "$folder/source"
(cd "$folder/source" && FATHOM_LIBRARY=$library "$python" setup.py -q bdist_wheel --dist-dir "$folder/wheel" 2> "$folder/wheel.log") ||
  { cat "$folder/wheel.log"; exit 1; }
for site in "" --system-site-packages; do
  rm -rf "$folder/environment"
  "$python" -m venv $site "$folder/environment"
  "$folder/environment/bin/pip" install -q --no-index --no-deps --disable-pip-version-check "$folder"/wheel/libfathom-*.whl
  (cd "$folder" && "$folder/environment/bin/python" "$package/tests/test_fathom.py" "$layout" "$model")
done
