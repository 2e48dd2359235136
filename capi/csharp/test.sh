#!/bin/bash
# Compiles the three files and the test with Mono and runs them.
# usage: capi/csharp/test.sh FOLDER LIBRARY_FOLDER LAYOUT MODEL
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
mcs -warnaserror -nologo -langversion:6 -out:"$1/Test.exe" "$here"/*.cs "$here/tests/Test.cs"
LD_LIBRARY_PATH=$2 mono "$1/Test.exe" "$3" "$4"
