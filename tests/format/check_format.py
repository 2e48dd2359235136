#!/usr/bin/env python3
"""Checks that the C and C++ sources are as the pinned clang-format writes them, and at most 128 columns wide.

  check_format.py ROOT CLANG_FORMAT     prints each file or line that differs; exit status 1 when there is one
  check_format.py ROOT CLANG_FORMAT -i  formats the files instead
  check_format.py --self-test CLANG_FORMAT

The frozen headers in capi/abi stay as they were released. clang-format leaves strings alone, so the width is checked apart: only
the inside of a raw string literal may be wider.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "19.1.7"
COLUMNS = 128
FOLDERS = ("include", "lib", "capi", "examples", "tests")
FROZEN = "capi/abi/"
SOURCES = {".cpp", ".hpp", ".h", ".c"}
RAW_STRING = re.compile(r'R"(\w*)\((.*?)\)\1"', re.DOTALL)


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES and not path.relative_to(root).as_posix().startswith(FROZEN):
                yield path


def wide_lines(text):
    """Numbers of the lines that are too wide, those with a part of a raw string left out."""
    raw = set()
    for found in RAW_STRING.finditer(text):
        first = text.count("\n", 0, found.start()) + 1
        raw.update(range(first, first + found.group(0).count("\n") + 1))
    return [(n, len(line)) for n, line in enumerate(text.split("\n"), 1) if len(line) > COLUMNS and n not in raw]


def complaints(root, clang_format):
    try:
        version = subprocess.run([clang_format, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        version = "nothing"
    if f"version {VERSION}" not in version:
        return [f"clang-format {VERSION} is needed, {clang_format} is {version.strip()}; tests/tools.sh installs it"]
    files = list(sources(root))
    if not files:
        return [f"{root}: no sources found"]
    done = subprocess.run([clang_format, "--dry-run", f"--style=file:{root / '.clang-format'}", *map(str, files)],
                          capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if "[-Wclang-format-violations]" in line]
    if done.returncode and not lines:
        lines = [done.stderr]
    for path in files:
        lines += [f"{path}:{n}: {width} columns, at most {COLUMNS} are allowed" for n, width in wide_lines(path.read_text(encoding="utf-8"))]
    return lines


def self_test(clang_format):
    long = "x" * COLUMNS
    planted = {
        "lib/tidy.cpp": ("int main() { return 0; }\n", None),
        "lib/untidy.cpp": ("int  main( ){return 0;}\n", "lib/untidy.cpp:1:"),
        "lib/wide.cpp": (f'const char* s = "{long}";\n', "lib/wide.cpp:1: 147 columns"),
        "tests/raw.cpp": (f'const char* s =\n    R"({long})";\n', None),
        "capi/abi/1.0/old.h": ("int  f( );\n", None),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".clang-format").write_text("BasedOnStyle: Google\nColumnLimit: 128\n")
        for name, (text, _) in planted.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = complaints(root, clang_format)
    wrong = [f"{name}: no complaint {expected!r} in {found}" for name, (_, expected) in planted.items()
             if expected and not any(expected in line for line in found)]
    return wrong + [f"is allowed: {line}" for line in found for name, (_, expected) in planted.items() if not expected and name in line]


def main():
    if sys.argv[1] == "--self-test":
        lines = self_test(sys.argv[2])
    else:
        root, clang_format = Path(sys.argv[1]).resolve(), sys.argv[2]
        if sys.argv[3:] == ["-i"]:
            subprocess.run([clang_format, "-i", *map(str, sources(root))], check=True)
        lines = complaints(root, clang_format)
    print("\n".join(lines) if lines else "every source is formatted")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
