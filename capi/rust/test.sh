#!/bin/bash
# Tests and lints both crates. Build files stay out of the source folder.
# usage: capi/rust/test.sh FOLDER LIBRARY_FOLDER MODEL
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export CARGO_TARGET_DIR=$1 FATHOM_LIBRARY_DIR=$2 FATHOM_TEST_MODEL=$3
cargo test -q --offline --locked
if cargo clippy --version > /dev/null 2>&1; then
  cargo clippy -q --offline --locked --all-targets -- -D warnings
else
  echo "clippy is not installed here; only rustc's own warnings were looked at"
  RUSTFLAGS="-D warnings" cargo check -q --offline --locked --all-targets
fi
# Without the library, one sentence tells what to set.
told=$(FATHOM_LIBRARY_DIR=/no/such/folder cargo build -q --offline --locked 2>&1) && { echo "it built without a library"; exit 1; }
grep -q "libfathom.so is not in /no/such/folder.*set FATHOM_LIBRARY_DIR to .*-rpath" <<< "$told" || { echo "$told"; exit 1; }
