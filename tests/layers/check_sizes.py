#!/usr/bin/env python3
"""Checks that files stay small enough to be read at once.

  check_sizes.py ROOT        prints each file that is too long; exit status 1 when there is one
  check_sizes.py --self-test

A source file has at most 400 lines, or a line `Longer than 400 lines: <reason>` in a comment among its first 20 lines. README.md
has at most 160 lines, the README of a folder at most 60: it is a map, and the rest belongs into NOTES.md beside it. CONTRIBUTING.md
has at most 120.
"""
import re
import sys
import tempfile
from pathlib import Path

FOLDERS = ("include", "lib", "capi", "examples", "tests", "cmake")
SOURCES = {".cpp", ".hpp", ".h", ".c", ".py", ".rs", ".cs", ".sh", ".cmake"}
FROZEN = ("capi/abi/", "tests/fuzz/corpus/")
SOURCE_LINES, REASON_WITHIN = 400, 20
REASON = re.compile(r"(//|/\*|#|^ \*|^) ?Longer than 400 lines: \w+.*\w+")
# Written by a program, which nobody reads from top to bottom.
GENERATED = re.compile(r"\bgenerated (from \S+ )?by \S+\.py", re.IGNORECASE)
# Files that have no room for a reason of their own, or share one.
REASONS = [
    (re.compile(r"^lib/kernels/(avx|amx|matmul_q8)\w*\.cpp$"),
     "code of an instruction set shares no inline function with other files, so one kind of product is one file"),
    (re.compile(r"^capi/include/fathom\.h$"), "the manual of the C interface is read in one place"),
    (re.compile(r"^tests/\w+/(\w+/)?\w+_test\.(cpp|py)$"), "tests of one file or one program stay together, and share their fixtures"),
    (re.compile(r"^tests/fuzz/fuzz_\w+\.cpp$"), "a fuzzer is one program"),
    (re.compile(r"^tests/support/gguf_convert\.cpp$"), "the conversion of a folder to GGUF is one pass over its names"),
]
PAGES = {"README.md": 160, "CONTRIBUTING.md": 120}
FOLDER_README_LINES = 60
# Pages that are no map of a folder: the card of a model and the manual of an example.
MANUALS = ("examples/models/", "examples/engines/", "examples/README.md")


def has_reason(name, top):
    return any(REASON.search(line) or GENERATED.search(line) for line in top) or any(pattern.match(name) for pattern, _ in REASONS)


def complaints(root):
    found = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if not path.is_file() or name.startswith(FROZEN):
                continue
            if path.suffix in SOURCES:
                lines = path.read_text(encoding="utf-8").splitlines()
                top = lines[:REASON_WITHIN]
                if len(lines) > SOURCE_LINES and not has_reason(name, top):
                    found.append(f"{name}: {len(lines)} lines; split it, or say near its top `Longer than {SOURCE_LINES} lines: <reason>`")
            if path.name == "README.md" and not name.startswith(MANUALS):
                lines = len(path.read_text(encoding="utf-8").splitlines())
                if lines > FOLDER_README_LINES:
                    found.append(f"{name}: {lines} lines, a map has at most {FOLDER_README_LINES}; notes belong into NOTES.md")
    for name, most in PAGES.items():
        lines = len((root / name).read_text(encoding="utf-8").splitlines()) if (root / name).is_file() else None
        if lines is None:
            found.append(f"{name} is missing")
        elif lines > most:
            found.append(f"{name}: {lines} lines, at most {most} are allowed")
    return found


def self_test():
    planted = {
        "lib/a/short.cpp": (400, "", None),
        "lib/a/long.cpp": (401, "", "lib/a/long.cpp: 401 lines"),
        "lib/a/long_with_reason.cpp": (500, "// Longer than 400 lines: one table of all formats.", None),
        "lib/a/long_without_words.cpp": (500, "// Longer than 400 lines: ", "lib/a/long_without_words.cpp"),
        "tests/a/generated.py": (900, "# Generated from x.h by write.py.", None),
        "capi/abi/1.0/frozen.h": (900, "", None),
        "lib/kernels/avx2_all.cpp": (500, "", None),
        "lib/kernels/select.cpp": (500, "", "lib/kernels/select.cpp"),
        "lib/a/README.md": (61, "", "lib/a/README.md: 61 lines"),
        "lib/b/README.md": (60, "", None),
        "examples/models/x/README.md": (200, "", None),
        "README.md": (161, "", "README.md: 161 lines"),
        "CONTRIBUTING.md": (120, "", None),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (lines, first, _) in planted.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_text(first + "\n" * lines)
        found = complaints(Path(folder))
    wrong = [f"{name}: no complaint {expected!r}" for name, (_, _, expected) in planted.items()
             if expected and not any(line.startswith(expected) for line in found)]
    return wrong + [f"is allowed: {line}" for line in found for name, (_, _, expected) in planted.items()
                    if not expected and line.startswith(name + ":")]


def main():
    lines = self_test() if sys.argv[1] == "--self-test" else complaints(Path(sys.argv[1]))
    print("\n".join(lines) if lines else "every file is short enough")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
