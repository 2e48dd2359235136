#!/bin/bash
# From a trained run to the model that is shipped: measures it, exports it, holds fathom against PyTorch, keeps what the tests compare
# with, and writes the measured parts of the model's card.
# usage: examples/models/train/ship.sh RUN [BIN] [HARDWARE]
#   RUN   what train.py trained
#   BIN   a build's folder with fathom and write_gguf (a build with tests); by default build/bin
#   HARDWARE  what it was trained on, for the card ("a shared two-core AMD EPYC"); by default this machine's processor
# Writes examples/models/fathom-tales/ and tests/conformance/tales/. python3 must have what training needs (README.md). What a reader has
# to say about the samples is not written by a script: the last line asks for it.
set -euo pipefail
run=$(realpath "${1:?usage: ship.sh RUN [BIN] [HARDWARE]}")
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
bin=$(realpath "${2:-$top/build/bin}")
recipe=$top/examples/models/train model=$top/examples/models/fathom-tales fixture=$top/tests/conformance/tales
for tool in fathom write_gguf; do
  [[ -x $bin/$tool ]] || { echo "ship.sh: $bin/$tool is missing: build it first" >&2; exit 1; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cd "$recipe"
export PYTHONDONTWRITEBYTECODE=1
python3 train.py "$run" --measure --threads 1
python3 export.py "$run" "$model"
python3 compare.py "$run" "$model" --fathom "$bin/fathom" --fixture "$fixture"
python3 "$fixture/perplexity_test.py" "$bin/fathom" "$bin/write_gguf" "$model" | tee "$scratch/perplexities"
python3 reading.py "$model" --fathom "$bin/fathom" | tee "$scratch/reading"
python3 card.py "$run" "$model" --fathom "$bin/fathom" --perplexities "$scratch/perplexities" --reading "$scratch/reading" \
  --held-out "$fixture/held_out.json" ${3:+--hardware "$3"}
