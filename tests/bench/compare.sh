#!/bin/bash
# Runs fathom and another engine on the same file in turn and prints how they compare: see compare.py, which does the work.
# usage: tests/bench/compare.sh PEER_BINARY MODEL.gguf [options]        PEER_BINARY: a llama-bench that the user has built
exec python3 "$(dirname "${BASH_SOURCE[0]}")/compare.py" "$@"
