#!/usr/bin/env python3
"""Checks every #include of the library against DESIGN's table: who may include whom, and the one way in for outside things.

  check_includes.py ROOT        prints each line that breaks a rule; exit status 1 when there is one
  check_includes.py --self-test plants one violation of each rule in a small tree and expects to be told of all of them
"""
import re
import sys
import tempfile
from pathlib import Path

# Folder of lib/ -> the folders below it that it may include. Its own is always allowed.
LAYERS = {
    "base": [],
    "platform": ["base"],
    "io": ["base", "platform"],
    "quant": ["base", "platform"],
    "kernels": ["base"],
    "backend": ["base", "platform", "quant", "kernels"],
    "nn": ["base", "backend", "kernels"],
    "model": ["base", "platform", "io", "quant", "backend", "nn"],
    "text": ["base", "io"],
    "run": ["base", "platform", "model", "nn", "text"],
}

# Instruction-set files share no inline function with anybody: this, intrinsics and <stdint.h> are all they see, and headers
# of their own that hold nothing but such code.
ISA_FILE = re.compile(r"(avx|amx|neon|sve|q8|^fixed_point)")
ISA_MAY = re.compile(r"^(kernels/kernel_table\.hpp|kernels/(avx|amx|neon|sve|q8)\w*\.hpp|\w*intrin\.h|arm_neon\.h|stdint\.h)$")

# Outside things, where their headers may appear, and in how many files at most.
OUTSIDE = [
    ("Eigen", re.compile(r"^Eigen/"), re.compile(r"^lib/backend/eigen\w*\.cpp$"), 1),
    ("oneDNN", re.compile(r"dnnl"), re.compile(r"^lib/backend/onednn\w*\.cpp$"), 1),
    ("simdjson", re.compile(r"^simdjson"), re.compile(r"^lib/io/json\.cpp$"), 1),
    ("PCRE2", re.compile(r"^pcre2"), re.compile(r"^lib/text/\w+\.cpp$"), 1),
    ("utf8proc", re.compile(r"^utf8proc"), re.compile(r"^lib/text/\w+\.cpp$"), 1),
    ("the operating system", re.compile(r"^(sys/|linux/|mach/|windows\.h|unistd\.h|fcntl\.h|pthread\.h|sched\.h|dlfcn\.h|signal\.h)"),
     re.compile(r"^lib/platform/"), None),
    ("a stream that prints", re.compile(r"^(iostream|cstdio|stdio\.h|print)$"), re.compile(r"^$"), None),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".cpp", ".hpp", ".h", ".c", ".inc"}


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) == '"', found.group(2)


def layer_complaint(path, quoted, name):
    """Why a file of lib/ may not include this, or None."""
    layer = path.split("/")[1]
    if layer not in LAYERS:
        return f"lib/{layer} is not in the table"
    if layer == "kernels" and ISA_FILE.search(path.rsplit("/", 1)[1]):
        return None if ISA_MAY.match(name) else "an instruction-set file includes only kernel_table.hpp, intrinsics and stdint.h"
    if not quoted:
        return "headers of fathom are included with quotes" if name.startswith("fathom/") else None
    folder = name.split("/")[0] if "/" in name else ""
    if folder == "fathom":
        return "the kernels do not know the public API" if layer == "kernels" else None
    if folder not in LAYERS:
        return "a quoted path is relative to lib/ and begins with one of its folders"
    if folder != layer and folder not in LAYERS[layer]:
        return f"{layer} may include {', '.join([*LAYERS[layer], layer])}"
    return None


def outer_complaint(path, quoted, name):
    """The same for what stands outside lib/."""
    top = path.split("/")[0]
    if top == "include":
        return None if (name.startswith("fathom/") if quoted else "/" not in name and not name.endswith(".h")) else \
            "public headers include the C++ standard library and each other"
    folder = name.split("/")[0] if "/" in name else ""
    if folder in LAYERS:
        return f"{top} stands on the public API, never on lib/"
    return None


def check(root):
    complaints, users = [], {what: set() for what, *_ in OUTSIDE}
    files = [p for top in ("lib", "include", "capi", "examples") for p in sorted((root / top).rglob("*")) if p.suffix in SOURCES]
    for file in files:
        path = file.relative_to(root).as_posix()
        for number, quoted, name in includes(file):
            in_lib = path.startswith("lib/")
            reason = layer_complaint(path, quoted, name) if in_lib else outer_complaint(path, quoted, name)
            if reason:
                complaints.append(f"{path}:{number}: includes {name}: {reason}")
            for what, pattern, where, _ in OUTSIDE if in_lib or path.startswith("capi/src/") else []:
                if pattern.search(name):
                    users[what].add(path)
                    if not where.match(path):
                        complaints.append(f"{path}:{number}: includes {name}: no place for {what}")
    for what, _, _, most in OUTSIDE:
        if most is not None and len(users[what]) > most:
            complaints.append(f"{what} has more than one way in: {', '.join(sorted(users[what]))}")
    if not any(f.suffix == ".cpp" for f in files):
        complaints.append(f"{root}: no sources found")
    return complaints


# file, what it includes, what the complaint must contain (None: it is fine)
PLANTED = [
    ("lib/base/a.cpp", '"io/json.hpp"', "base may include"),
    ("lib/base/b.cpp", "<vector>", None),
    ("lib/nn/a.cpp", '"model/config.hpp"', "nn may include"),
    ("lib/nn/b.cpp", '"kernels/kernel_table.hpp"', None),
    ("lib/run/a.cpp", '"io/open.hpp"', "run may include"),
    ("lib/text/a.cpp", '"platform/thread_pool.hpp"', "text may include"),
    ("lib/odd/a.cpp", '"base/error.hpp"', "not in the table"),
    ("lib/io/a.cpp", '"error.hpp"', "relative to lib/"),
    ("lib/io/b.cpp", "<fathom/error.hpp>", "with quotes"),
    ("lib/kernels/avx2.cpp", "<algorithm>", "instruction-set file"),
    ("lib/kernels/avx512_more.cpp", "<immintrin.h>", None),
    ("lib/kernels/matmul_q8.cpp", "<algorithm>", "instruction-set file"),
    ("lib/kernels/q8_more.hpp", '"kernels/q8_tile.hpp"', None),
    ("lib/kernels/select.cpp", '"fathom/runtime.hpp"', "public API"),
    ("lib/nn/c.cpp", "<Eigen/Core>", "no place for Eigen"),
    ("lib/backend/eigen_gemm.cpp", "<Eigen/Core>", None),
    ("lib/backend/eigen_more.cpp", "<Eigen/Core>", "Eigen has more than one way in"),
    ("lib/text/b.cpp", "<simdjson.h>", "no place for simdjson"),
    ("lib/run/b.cpp", "<sys/mman.h>", "no place for the operating system"),
    ("lib/model/a.cpp", "<iostream>", "no place for a stream"),
    ("include/fathom/a.hpp", '"base/error.hpp"', "public headers"),
    ("include/fathom/b.hpp", "<fmt/format.h>", "public headers"),
    ("include/fathom/c.hpp", '"fathom/a.hpp"', None),
    ("capi/src/a.cpp", '"run/session.hpp"', "public API"),
    ("capi/src/b.cpp", '"fathom/session.hpp"', None),
    ("examples/cli/a.cpp", '"io/open.hpp"', "public API"),
]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, name, _ in PLANTED:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(f"#include {name}\n")
        complaints = check(root)
    wrong = []
    for path, name, expected in PLANTED:
        about = [c for c in complaints if path in c]
        if expected and not any(expected in c for c in about):
            wrong.append(f"{path} includes {name}: not complained of")
        if not expected and any(c.startswith(path + ":") for c in about):
            wrong.append(f"{path} includes {name}: complained of, though allowed")
    return wrong


def main():
    lines = self_test() if sys.argv[1] == "--self-test" else check(Path(sys.argv[1]))
    print("\n".join(lines) if lines else "every include follows the table")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
