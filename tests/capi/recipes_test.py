"""Runs the shell blocks of a README as they are printed, in a copy of the source tree.

recipes_test.py [--real] README CMAKE BUILD     README: path from the root; BUILD: a build folder with the library

A block marked `sh` runs in the root of the copy. A block behind the line `NAME`: is written as the file NAME. A script takes the
place of cmake and knows the two calls that the READMEs make. It asks CMAKE, the real one, whether the target exists, and copies
the library of BUILD instead of building for minutes. With --real the blocks call cmake itself.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.M | re.S)
CMAKE = """#!/bin/bash
set -euo pipefail
case "$*" in
  "-S . -B build" | "-S {tree} -B {tree}/build" | "-S {tree} -B {tree}/build -G Ninja")
    test -f "$2/CMakeLists.txt" && mkdir -p "$4" ;;
  "--build build --target "* | "--build {tree}/build --target "*)
    "{cmake}" --build "{build}" --target help | grep -w "$4" > /dev/null || {{ echo "there is no target $4" >&2; exit 1; }}
    mkdir -p "$2/lib" && cp -a "{build}"/lib/libfathom.so* "$2/lib" ;;
  *) echo "the test knows no 'cmake $*'" >&2; exit 1 ;;
esac
"""


def left_out(folder, names):
    """Names that a clone does not have, and the tests, which no README needs."""
    if pathlib.Path(folder) == ROOT:
        return [name for name in names if name in (".git", "tests") or name.startswith("build")]
    return [name for name in names if name in ("target", "__pycache__")]


def main():
    arguments = sys.argv[1:]
    real = "--real" in arguments
    readme, cmake, build = [each for each in arguments if each != "--real"]
    text = (ROOT / readme).read_text(encoding="utf-8")
    blocks = [block.groups() for block in BLOCK.finditer(text)]
    scripts = [content for _, language, content in blocks if language == "sh"]
    if not scripts:
        sys.exit(f"{readme} has no block marked sh")
    with tempfile.TemporaryDirectory() as folder:
        tree, tools = pathlib.Path(folder).resolve() / "tree", pathlib.Path(folder) / "tools"
        shutil.copytree(ROOT, tree, ignore=left_out, symlinks=True)
        git = ["git", "-C", str(tree), "-c", "user.name=test", "-c", "user.email=test"]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        tools.mkdir()
        if not real:
            (tools / "cmake").write_text(CMAKE.format(cmake=cmake, build=pathlib.Path(build).resolve(), tree=tree))
            (tools / "cmake").chmod(0o755)
        for name, _, content in blocks:
            if name:
                (tree / name).write_text(content, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("FATHOM_", "PIP_", "CARGO_TARGET", "PYTHON", "LD_LIBRARY", "RUSTFLAGS"))}
        if "FATHOM_DEPS_PREFIX" in os.environ:
            environment["FATHOM_DEPS_PREFIX"] = os.environ["FATHOM_DEPS_PREFIX"]
        environment.update(PATH=f"{tools}:{os.environ['PATH']}", PWD=str(tree), PIP_NO_INDEX="1",
                           PIP_DISABLE_PIP_VERSION_CHECK="1")
        said = ""
        for script in scripts:
            print(script, flush=True)
            run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tree, env=environment, stdout=subprocess.PIPE,
                                 text=True, check=False)
            print(run.stdout, flush=True)
            if run.returncode != 0:
                sys.exit(f"a block of {readme} failed with {run.returncode}")
            said += run.stdout
        if said.count("Milo") < 2:
            sys.exit(f"no story about Milo was told by the blocks of {readme}")
        left = subprocess.run([*git, "status", "--porcelain", "--", "capi"], capture_output=True, text=True, check=True).stdout
        left = [line for line in left.splitlines() if not line.startswith("A ")]
        if left:
            sys.exit(f"the blocks of {readme} leave files behind: {left}")


main()
