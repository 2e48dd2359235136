#!/usr/bin/env python3
"""Checks every #include of the library, direct and by way of other headers, and the names it uses, against rules.py.

  check_layers.py ROOT        prints each line that breaks a rule; exit status 1 when there is one
  check_layers.py --self-test plants violations of each rule in a small tree and expects a complaint about each of them
"""
import re
import sys
import tempfile
from pathlib import Path

from rules import BRINGS, ISA_FILE, ISA_MAY, LAYERS, NAMES, NAMESPACES, OUTSIDE, PARTS

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".cpp", ".hpp", ".h", ".c", ".inc"}
# Comments, raw strings, strings, characters: no code names anything there.
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
DECLARATION = re.compile(r"^(?:class|struct|enum class|using) ([A-Z]\w*)(?!::)\b(?=[^;]*[{=])", re.MULTILINE)


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) == '"', found.group(2)


def code_lines(path):
    text = NO_CODE.sub(lambda found: "\n" * found.group(0).count("\n"), path.read_text(encoding="utf-8"))
    return enumerate(text.splitlines(), 1)


def part_of(path):
    """The part of lib/model a path below it belongs to, and its own room in that part; None where it belongs to none."""
    best = None
    for part in PARTS:
        prefix = part.removesuffix("*")
        if path.startswith(prefix) and (prefix.endswith(("/", "_")) or path[len(prefix):len(prefix) + 1] in ("/", ".")):
            room = prefix + path[len(prefix):].split("/")[0].split(".")[0] if part.endswith("*") else part
            if best is None or len(prefix) > len(best[0]):
                best = (part, room)
    return best


def part_complaint(path, name):
    """Why a file of lib/model may not see another one, or None."""
    mine, other = part_of(path.removeprefix("lib/model/")), part_of(name.removeprefix("model/"))
    if mine is None or other is None or mine[1] == other[1]:
        return None
    if mine[0] == other[0]:
        return f"{mine[1]} and {other[1]} do not know each other"
    return None if other[0] in PARTS[mine[0]] else f"{mine[1]} may include {', '.join(PARTS[mine[0]]) or 'no other part'} of lib/model"


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
    if name.endswith(".cpp"):
        return "a source file is compiled, not included"
    if folder != layer and folder not in LAYERS[layer]:
        return f"{layer} may include {', '.join([*LAYERS[layer], layer])}"
    return part_complaint(path, name) if layer == folder == "model" else None


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


def reached(start, graph):
    """Headers of lib/ that a file sees by way of others, each with the way to it. What it includes itself is not among them."""
    ways, open_ends = {}, [(name, [name]) for name in graph.get(start, [])]
    direct = {name for name, _ in open_ends}
    while open_ends:
        at, way = open_ends.pop()
        for name in graph.get("lib/" + at, []):
            if name not in ways and name not in direct and "lib/" + name != start:
                ways[name] = [*way, name]
                open_ends.append((name, ways[name]))
    return ways


def reach_complaint(path, name, graph):
    """Why a file may not see a header that others bring along, or None."""
    layer, folder = path.split("/")[1], name.split("/")[0]
    if layer not in LAYERS or folder not in LAYERS:
        return None  # complained of where it is included
    if layer == "kernels" and ISA_FILE.search(path.rsplit("/", 1)[1]) and not ISA_MAY.match(name):
        return "an instruction-set file sees no header of others"
    if folder != layer and folder not in LAYERS[layer] + BRINGS.get(layer, []):
        return f"headers that {layer} includes may bring {', '.join(LAYERS[layer] + BRINGS.get(layer, []))}"
    return part_complaint(path, name) if layer == folder == "model" else None


def own_types(files, root):
    """Type -> folder, for the folders whose types stand in `fathom` itself; a name that two folders declare is left out."""
    owners = {}
    for file in files:
        path = file.relative_to(root).as_posix()
        if path.startswith("lib/") and file.suffix == ".hpp" and path.split("/")[1] not in NAMESPACES:
            for name in DECLARATION.findall(file.read_text(encoding="utf-8")):
                owners.setdefault(name, set()).add(path.split("/")[1])
    return {name: next(iter(folders)) for name, folders in owners.items() if len(folders) == 1}


def name_complaints(file, path, types):
    layer = path.split("/")[1]
    if layer not in LAYERS:
        return
    may = {layer, *LAYERS[layer]}
    namespaces = {NAMESPACES[folder]: folder for folder in NAMESPACES if folder in LAYERS and folder not in may}
    qualified = re.compile(r"(?<!std::)(?<!\w)(%s)::(\w+)" % "|".join(namespaces)) if namespaces else None
    bare = {name: folder for name, folder in types.items() if folder not in may}
    for number, line in code_lines(file):
        used = [(namespaces[space], f"{space}::{name}", name) for space, name in qualified.findall(line)] if qualified else []
        used += [(bare[word], word, word) for word in re.findall(r"(?<![\w.>:])[A-Z]\w*", line) if word in bare]
        for folder, shown, name in used:
            if name not in NAMES.get(layer, {}).get(folder, ()):
                yield f"{path}:{number}: names {shown}: {layer} does not know {folder}"


def check(root):
    complaints, users = [], {what: set() for what, *_ in OUTSIDE}
    files = [p for top in ("lib", "include", "capi", "examples") for p in sorted((root / top).rglob("*")) if p.suffix in SOURCES]
    graph = {p.relative_to(root).as_posix(): [name for _, quoted, name in includes(p) if quoted] for p in files}
    types = own_types(files, root)
    for file in files:
        path = file.relative_to(root).as_posix()
        in_lib = path.startswith("lib/")
        for number, quoted, name in includes(file):
            reason = layer_complaint(path, quoted, name) if in_lib else outer_complaint(path, quoted, name)
            if reason:
                complaints.append(f"{path}:{number}: includes {name}: {reason}")
            for what, pattern, where, _ in OUTSIDE if in_lib or path.startswith("capi/src/") else []:
                if pattern.search(name):
                    users[what].add(path)
                    if not where.match(path):
                        complaints.append(f"{path}:{number}: includes {name}: no place for {what}")
        if in_lib:
            for name, way in reached(path, graph).items():
                reason = reach_complaint(path, name, graph)
                if reason:
                    complaints.append(f"{path}: sees {name} by way of {', '.join(way[:-1])}: {reason}")
            complaints += name_complaints(file, path, types)
    for what, _, _, most in OUTSIDE:
        if most is not None and len(users[what]) > most:
            complaints.append(f"{what} has more than one way in: {', '.join(sorted(users[what]))}")
    if not any(f.suffix == ".cpp" for f in files):
        complaints.append(f"{root}: no sources found")
    return complaints


# file, its text, what the complaint must contain (None: it is fine)
PLANTED = [
    ("lib/base/a.cpp", '#include "io/json.hpp"', "base may include"),
    ("lib/base/b.cpp", "#include <vector>", None),
    ("lib/nn/a.cpp", '#include "model/config.hpp"', "nn may include"),
    ("lib/nn/b.cpp", '#include "kernels/kernel_table.hpp"', None),
    ("lib/run/a.cpp", '#include "backend/select.hpp"', "run may include"),
    ("lib/run/c.cpp", '#include "chat/messages.hpp"', None),
    ("lib/text/a.cpp", '#include "platform/thread_pool.hpp"', "text may include"),
    ("lib/text/c.cpp", '#include "chat/messages.hpp"', "text may include"),
    ("lib/odd/a.cpp", '#include "base/error.hpp"', "not in the table"),
    ("lib/io/a.cpp", '#include "error.hpp"', "relative to lib/"),
    ("lib/io/b.cpp", "#include <fathom/error.hpp>", "with quotes"),
    ("lib/io/c.cpp", '#include "io/b.cpp"', "compiled, not included"),
    ("lib/kernels/avx2.cpp", "#include <algorithm>", "instruction-set file"),
    ("lib/kernels/avx512_more.cpp", "#include <immintrin.h>", None),
    ("lib/kernels/matmul_q8.cpp", "#include <algorithm>", "instruction-set file"),
    ("lib/kernels/q8_more.hpp", '#include "kernels/q8_tile.hpp"', None),
    ("lib/kernels/select.cpp", '#include "fathom/runtime.hpp"', "public API"),
    ("lib/nn/c.cpp", "#include <Eigen/Core>", "no place for Eigen"),
    ("lib/backend/eigen_gemm.cpp", "#include <Eigen/Core>", None),
    ("lib/backend/eigen_more.cpp", "#include <Eigen/Core>", "Eigen has more than one way in"),
    ("lib/text/b.cpp", "#include <simdjson.h>", "no place for simdjson"),
    ("lib/run/b.cpp", "#include <sys/mman.h>", "no place for the operating system"),
    ("lib/model/a.cpp", "#include <iostream>", "no place for a stream"),
    ("include/fathom/a.hpp", '#include "base/error.hpp"', "public headers"),
    ("include/fathom/b.hpp", "#include <fmt/format.h>", "public headers"),
    ("include/fathom/c.hpp", '#include "fathom/a.hpp"', None),
    ("capi/src/a.cpp", '#include "run/session.hpp"', "public API"),
    ("capi/src/b.cpp", '#include "fathom/session.hpp"', None),
    ("examples/cli/a.cpp", '#include "io/open.hpp"', "public API"),
    # by way of other headers
    ("lib/base/far.hpp", '#include "nn/far.hpp"', "base may include"),
    ("lib/io/far.cpp", '#include "base/far.hpp"', "sees nn/far.hpp by way of base/far.hpp"),
    ("lib/kernels/kernel_table.hpp", '#include "kernels/common.hpp"', None),
    ("lib/kernels/avx2_far.cpp", '#include "kernels/kernel_table.hpp"', "sees kernels/common.hpp"),
    # names
    ("lib/backend/names.hpp", "class GemmBackend {\n};", None),
    ("lib/text/names.cpp", "void f(nn::KvCache&);", "names nn::KvCache: text does not know nn"),
    ("lib/text/names_apart.cpp", '// nn::KvCache\nconst char* s = "nn::KvCache";\nvoid f(io::Value&);', None),
    ("lib/run/names.cpp", "\nvoid f(GemmBackend&);", "names.cpp:2: names GemmBackend: run does not know backend"),
    ("lib/run/names_member.cpp", "int f(A& a) { return a.GemmBackend; }", None),
    ("lib/model/names.cpp", "void f(const kernels::WeightRows&);", None),
    ("lib/model/names_call.cpp", "void f() { kernels::select(); }", "names kernels::select: model does not know kernels"),
    # parts of lib/model
    ("lib/model/pass/plan.hpp", '#include "model/config/config.hpp"', None),
    ("lib/model/config/reader.cpp", '#include "model/pass/plan.hpp"', "config may include no other part"),
    ("lib/model/pass/up.cpp", '#include "model/families/family.hpp"', "pass may include config"),
    ("lib/model/mechanism.hpp", '#include "model/pass/plan.hpp"', None),
    ("lib/model/attention/latent/latent.hpp", '#include "model/mechanism.hpp"', None),
    ("lib/model/attention/latent/absorbed.cpp", '#include "model/attention/latent/latent.hpp"', None),
    ("lib/model/attention/latent/load.cpp", '#include "model/tensors/tensor_loader.hpp"', None),
    ("lib/model/attention/latent/loader.cpp", '#include "model/load/open.hpp"', "attention/latent may include"),
    ("lib/model/attention/sparse_latent/a.cpp", '#include "model/attention/latent/latent.hpp"', "do not know each other"),
    ("lib/model/attention/sparse_latent/b.cpp", '#include "model/flat.hpp"', "sees model/attention/latent/latent.hpp by way of model/flat.hpp"),
    ("lib/model/flat.hpp", '#include "model/attention/latent/latent.hpp"', None),
    ("lib/model/feed_forward/experts/a.cpp", '#include "model/attention/latent/latent.hpp"', "feed_forward/experts may include"),
    ("lib/model/residual/plain.cpp", '#include "model/residual/plain.hpp"', None),
    ("lib/model/residual/hyper.cpp", '#include "model/residual/plain.hpp"', "do not know each other"),
    ("lib/model/families/x.cpp", '#include "model/attention/latent/latent.hpp"', None),
    ("lib/model/families/y.cpp", '#include "model/load/open.hpp"', "families may include"),
    ("lib/model/load/open.cpp", '#include "model/families/families.hpp"', None),
]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text, _ in PLANTED:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text + "\n")
        complaints = check(root)
    wrong = []
    for path, text, expected in PLANTED:
        about = [c for c in complaints if path in c]
        if expected and not any(expected in c for c in about):
            wrong.append(f"{path}: {text!r}: no complaint with {expected!r} among {about}")
        if not expected and any(c.startswith(path + ":") for c in about):
            wrong.append(f"{path}: {text!r}: is allowed, but {about}")
    return wrong


def main():
    lines = self_test() if sys.argv[1] == "--self-test" else check(Path(sys.argv[1]))
    print("\n".join(lines) if lines else "every include and every name follows the table")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
