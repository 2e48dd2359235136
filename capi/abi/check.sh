#!/bin/bash
# Compares the binary interface that fathom.h describes with the one that was frozen. (That the library exports just these
# functions is another test; the types behind the handles are nobody's business, so they are not looked at.)
# usage: capi/abi/check.sh            fails when a program built with an older header would break
#        capi/abi/check.sh --renew    writes the baseline, after a release that added something
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v abidiff > /dev/null || { echo "abidiff is missing: it is in Debian's abigail-tools" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A library with an empty body for every function of the header.
{
  echo '#include <fathom.h>'
  cc -E -P -x c "$here/../include/fathom.h" | tr '\n' ' ' | sed 's/;/;\n/g' |
    sed -nE 's/^ *__attribute__\(\(visibility\("default"\)\)\) void ([^;]*);$/void \1 {}/p
             s/^ *__attribute__\(\(visibility\("default"\)\)\) ([^;]*);$/\1 { return 0; }/p'
} > "$work/interface.c"
cc -g -fPIC -shared -w -I "$here/../include" "$work/interface.c" -o "$work/libfathom.so" -Wl,-soname,libfathom.so.1

described=$(nm -D --defined-only "$work/libfathom.so" | awk '{ print $NF }' | sort)
diff <(sort "$here/symbols.txt") <(echo "$described") || { echo "the header's functions are not those of symbols.txt" >&2; exit 1; }

if [[ ${1:-} == --renew ]]; then
  abidw --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$here/baseline.abi" "$work/libfathom.so"
  exit
fi
# Additions are what minor versions are for; everything else is a break.
abidiff --no-added-syms "$here/baseline.abi" "$work/libfathom.so"
