#!/bin/bash
# Installs mypy from the registry into FOLDER, once, and runs the checks of types.
# usage: types.sh FOLDER
set -euo pipefail
package=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$1 version=2.4.1
if [[ ! -x $folder/bin/mypy || $("$folder/bin/mypy" --version) != "mypy $version"* ]]; then
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install -q --disable-pip-version-check "mypy==$version"
fi
PYTHONDONTWRITEBYTECODE=1 "$folder/bin/python" "$package/tests/types_test.py" "$folder/bin/mypy"
