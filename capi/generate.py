#!/usr/bin/env python3
"""Writes the lowest layer of every language binding from fathom.h.

generate.py            writes python/fathom/_abi.py, rust/fathom-sys/src/bindings.rs, csharp/FathomNative.cs, abi/layout.txt, abi/layout.c
generate.py --check    fails when one of them is not what it would write

The parser knows the few shapes the header uses and refuses everything else, with the text it could not read.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SCALARS = {  # name: size, ctypes, Rust, C#
    "char": (1, "c_char", "c_char", "byte"),
    "uint8_t": (1, "c_uint8", "u8", "byte"),
    "int32_t": (4, "c_int32", "i32", "int"),
    "uint32_t": (4, "c_uint32", "u32", "uint"),
    "int64_t": (8, "c_int64", "i64", "long"),
    "uint64_t": (8, "c_uint64", "u64", "ulong"),
    "size_t": (8, "c_size_t", "usize", "UIntPtr"),
    "float": (4, "c_float", "f32", "float"),
    "double": (8, "c_double", "f64", "double"),
}
PARAMETERS = r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)"
NOTICE = "Generated from fathom.h by capi/generate.py. Do not edit."


class Type:
    """`const fathom_string*` is base fathom_string, pointers 1, const True. A function pointer has `parameters` and `result`."""

    def __init__(self, text):
        text = " ".join(text.split())
        self.pointers = text.count("*")
        words = text.replace("*", " ").split()
        self.const = "const" in words
        words = [word for word in words if word != "const"]
        if len(words) != 1:
            sys.exit(f"generate.py: cannot read the type '{text}'")
        self.base = words[0]
        self.parameters = self.result = None


def parse_variable(text):
    """'const char* name' or 'int32_t (*name)(parameters)' as name, Type."""
    text = " ".join(text.split())
    function = re.fullmatch(r"(.+?)\(\*(\w+)\)" + PARAMETERS, text)
    if function:
        kind = Type("void*")
        kind.result = Type(function.group(1))
        kind.parameters = parse_parameters(function.group(3))
        return function.group(2), kind
    match = re.fullmatch(r"(.*[\s*])(\w+)", text)
    if not match:
        sys.exit(f"generate.py: cannot read '{text}'")
    return match.group(2), Type(match.group(1))


def parse_parameters(text):
    if text.strip() in ("", "void"):
        return []
    pieces, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            pieces.append(text[start:i])
            start = i + 1
    return [parse_variable(piece) for piece in [*pieces, text[start:]]]


class Header:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        self.constants = re.findall(r"^#define (FATHOM_\w+) (\(?-?\d+u?\)?)\s*$", text, re.M)
        text = text.replace('extern "C" {', "")
        text = re.sub(r"^#.*$", "", text, flags=re.M).replace("FATHOM_API", "")
        self.handles, self.structs, self.callbacks, self.functions = [], {}, {}, []
        # structs first: they have semicolons inside
        for fields, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text, re.S):
            self.structs[name] = [parse_variable(field) for field in fields.split(";") if field.strip()]
        text = re.sub(r"typedef struct \w+ \{.*?\} \w+;", "", text, flags=re.S)
        for statement in text.split(";"):
            statement = " ".join(statement.split()).strip("} ")
            if not statement:
                continue
            if handle := re.fullmatch(r"typedef struct (\w+) \1", statement):
                self.handles.append(handle.group(1))
            elif callback := re.fullmatch(r"typedef (.+\(\*\w+\)\(.*\))", statement):
                name, kind = parse_variable(callback.group(1))
                self.callbacks[name] = kind
            elif function := re.fullmatch(r"(.+?[\s*])(\w+)" + PARAMETERS, statement):
                self.functions.append((function.group(2), Type(function.group(1)), parse_parameters(function.group(3))))
            else:
                sys.exit(f"generate.py: cannot read '{statement}'")

    def size(self, kind):
        if kind.pointers or kind.parameters is not None or kind.base in self.callbacks:
            return 8
        if kind.base in SCALARS:
            return SCALARS[kind.base][0]
        sys.exit(f"generate.py: a field of type {kind.base} has no known size")

    def layout(self):
        """(struct, size, [(field, offset, size)]) on 64-bit machines."""
        for name, fields in self.structs.items():
            at, places = 0, []
            for field, kind in fields:
                size = self.size(kind)
                if at % size:
                    sys.exit(f"generate.py: {name}.{field} has padding before it")
                places.append((field, at, size))
                at += size
            if at % max(size for _, _, size in places):
                sys.exit(f"generate.py: {name} has padding at its end")
            yield name, at, places


def layout_text(header):
    lines = ["# struct size, then field offset size; on 64-bit machines"]
    for name, size, places in header.layout():
        lines.append(f"{name} {size}")
        lines += [f"  {field} {offset} {width}" for field, offset, width in places]
    return "\n".join(lines) + "\n"


def layout_c(header):
    lines = [f"/* {NOTICE} What the compiler makes of the header's structs is what layout.txt says. */", "#include <fathom.h>", ""]
    for name, size, places in header.layout():
        lines.append(f'_Static_assert(sizeof({name}) == {size}, "{name}");')
        lines += [f'_Static_assert(offsetof({name}, {field}) == {offset}, "{name}.{field}");' for field, offset, _ in places]
    return "\n".join([*lines, "", "int main(void) { return 0; }"]) + "\n"


def value(text):
    return text.strip("()").rstrip("u")


# ---- Python


def python_type(header, kind):
    if kind.parameters is not None:
        return python_callback(header, kind)
    if kind.base in header.callbacks:
        return kind.base
    if kind.base in header.handles or kind.base == "void":
        text, depth = ("None", 0) if kind.pointers == 0 else ("c_void_p", kind.pointers - 1)
    elif kind.base == "char" and kind.pointers:
        text, depth = "c_char_p", kind.pointers - 1
    elif kind.base in SCALARS:
        text, depth = SCALARS[kind.base][1], kind.pointers
    else:
        text, depth = kind.base, kind.pointers
    return "POINTER(" * depth + text + ")" * depth


def python_callback(header, kind):
    # bytes objects would end at the first zero; callbacks get addresses
    types = [python_type(header, kind.result)]
    for _, each in kind.parameters:
        text = python_type(header, each)
        types.append("c_void_p" if text == "c_char_p" else text)
    return f"CFUNCTYPE({', '.join(types)})"


def python_text(header):
    out = [f'"""{NOTICE}"""', "",
           "from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8,",
           "                    c_uint32, c_uint64, c_void_p)", ""]
    out += [f"{name} = {value(text)}" for name, text in header.constants]
    for name, kind in header.callbacks.items():
        out += ["", f"{name} = {python_callback(header, kind)}"]
    for name, fields in header.structs.items():
        out += ["", "", f"class {name}(Structure):", "    _fields_ = ["]
        out += [f'        ("{field}", {python_type(header, kind)}),' for field, kind in fields]
        out += ["    ]"]
    out += ["", "", "def declare(library):", '    """Gives every function its types."""']
    for name, result, parameters in header.functions:
        out.append(f"    library.{name}.restype = {python_type(header, result)}")
        out.append(f"    library.{name}.argtypes = [{', '.join(python_type(header, kind) for _, kind in parameters)}]")
    return "\n".join(out) + "\n"


# ---- Rust


def rust_type(header, kind):
    if kind.parameters is not None:
        return rust_callback(header, kind)
    if kind.base in header.callbacks:
        return kind.base
    base = "c_void" if kind.base == "void" else SCALARS[kind.base][2] if kind.base in SCALARS else kind.base
    if kind.pointers == 0:
        return base
    inner = f"*const {base}" if kind.const else f"*mut {base}"
    return "*mut " * (kind.pointers - 1) + inner


def rust_callback(header, kind):
    parameters = ", ".join(f"{name}: {rust_type(header, each)}" for name, each in kind.parameters)
    result = "" if kind.result.base == "void" and not kind.result.pointers else f" -> {rust_type(header, kind.result)}"
    return f'Option<unsafe extern "C" fn({parameters}){result}>'


def rust_text(header):
    out = [f"// {NOTICE}", "use core::ffi::{c_char, c_void};", ""]
    for name, text in header.constants:
        kind = "u32" if text.endswith("u") else "usize" if name.endswith("_SIZE") else "i64" if "NO_NEW" in name else "i32"
        out.append(f"pub const {name}: {kind} = {value(text)};")
    for name in header.handles:
        out += ["", "#[repr(C)]", f"pub struct {name} {{", "    _private: [u8; 0],", "}"]
    for name, kind in header.callbacks.items():
        out += ["", f"pub type {name} = {rust_callback(header, kind)};"]
    for name, fields in header.structs.items():
        out += ["", "#[repr(C)]", "#[derive(Clone, Copy)]", f"pub struct {name} {{"]
        out += [f"    pub {field}: {rust_type(header, kind)}," for field, kind in fields]
        out += ["}"]
    out += ["", 'extern "C" {']
    for name, result, parameters in header.functions:
        arguments = ", ".join(f"{field}: {rust_type(header, kind)}" for field, kind in parameters)
        arrow = "" if result.base == "void" and not result.pointers else f" -> {rust_type(header, result)}"
        out.append(f"    pub fn {name}({arguments}){arrow};")
    out += ["}", "", "/// Struct, its size, and its fields with their offsets, as this compiler lays them out.",
            "pub fn layout() -> Vec<(&'static str, usize, Vec<(&'static str, usize)>)> {", "    vec!["]
    for name, fields in header.structs.items():
        places = ", ".join(f'("{field}", core::mem::offset_of!({name}, {field}))' for field, _ in fields)
        out.append(f'        ("{name}", core::mem::size_of::<{name}>(), vec![{places}]),')
    return "\n".join([*out, "    ]", "}"]) + "\n"


# ---- C#


def csharp_field(header, kind):
    if kind.pointers or kind.parameters is not None or kind.base in header.callbacks:
        return "IntPtr"
    return SCALARS[kind.base][3]


def csharp_parameter(header, name, kind):
    name = {"params": "parameters", "fork": "forked"}.get(name, name)
    if kind.base in header.callbacks:
        return f"{kind.base} {name}"
    if kind.pointers == 0:
        return f"{SCALARS[kind.base][3]} {name}"
    if kind.base in header.handles or kind.base == "void":
        return f"IntPtr {name}" if kind.pointers == 1 else f"out IntPtr {name}"
    if kind.pointers == 2:
        return f"out IntPtr {name}"
    if kind.base in SCALARS:
        # a single number that is written, or an array
        if not kind.const and kind.base == "size_t":
            return f"out UIntPtr {name}"
        if not kind.const and name in ("token", "bytes"):
            return f"out {SCALARS[kind.base][3]} {name}"
        return f"{SCALARS[kind.base][3]}[] {name}"
    if name.endswith("s") and name not in ("options", "needs"):
        return f"{kind.base}[] {name}" if kind.const else f"[In, Out] {kind.base}[] {name}"
    return f"ref {kind.base} {name}"


def csharp_text(header):
    out = [f"// {NOTICE}", "// Unity: put libfathom into Assets/Plugins. Pointers may be IntPtr.Zero or null where fathom.h says NULL.",
           "using System;", "using System.Runtime.InteropServices;", "", "namespace Fathom", "{"]
    for name, kind in header.callbacks.items():
        parameters = ", ".join(
            f"{'IntPtr' if each.pointers else SCALARS[each.base][3]} {field}" for field, each in kind.parameters)
        out += ["    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]", f"    public delegate int {name}({parameters});", ""]
    for name, fields in header.structs.items():
        out += ["    [StructLayout(LayoutKind.Sequential)]", f"    public struct {name}", "    {"]
        out += [f"        public {csharp_field(header, kind)} {field};" for field, kind in fields]
        out += ["    }", ""]
    out += ["    public static class Native", "    {", '        const string Library = "fathom";', ""]
    for name, text in header.constants:
        kind = "uint" if text.endswith("u") else "long" if "NO_NEW" in name else "int"
        out.append(f"        public const {kind} {name} = {text.strip('()')};")
    for name, result, parameters in header.functions:
        arguments = ", ".join(csharp_parameter(header, field, kind) for field, kind in parameters)
        kind = "void" if result.base == "void" else "IntPtr" if result.pointers else "int"
        out += ["", "        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]",
                f"        public static extern {kind} {name}({arguments});"]
    return "\n".join([*out, "    }", "}"]) + "\n"


def main():
    header = Header(os.path.join(HERE, "include", "fathom.h"))
    wanted = {
        "abi/layout.txt": layout_text(header),
        "abi/layout.c": layout_c(header),
        "python/fathom/_abi.py": python_text(header),
        "rust/fathom-sys/src/bindings.rs": rust_text(header),
        "csharp/FathomNative.cs": csharp_text(header),
    }
    stale = []
    for name, text in wanted.items():
        path = os.path.join(HERE, name)
        if "--check" in sys.argv[1:]:
            with open(path, encoding="utf-8") as file:
                if file.read() != text:
                    stale.append(name)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    if stale:
        sys.exit(f"not what capi/generate.py writes from fathom.h: {', '.join(stale)}")
    print(f"{len(header.functions)} functions, {len(header.structs)} structs, {len(header.constants)} constants")


if __name__ == "__main__":
    main()
