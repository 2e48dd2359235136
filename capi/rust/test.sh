#!/bin/bash
# Tests and lints both crates. Build files stay out of the source folder.
# usage: capi/rust/test.sh FOLDER LIBRARY_FOLDER MODEL
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export CARGO_TARGET_DIR=$1 FATHOM_LIBRARY_DIR=$2 LD_LIBRARY_PATH=$2 FATHOM_TEST_MODEL=$3
cargo test -q --offline --locked
if cargo clippy --version > /dev/null 2>&1; then
  cargo clippy -q --offline --locked --all-targets -- -D warnings
else
  echo "clippy is not installed here; only rustc's own warnings were looked at"
  RUSTFLAGS="-D warnings" cargo check -q --offline --locked --all-targets
fi
