"""The lines that fathom.h recommends for a struct compile without a warning, for each struct with a struct_size.

idiom.py HEADER C_COMPILER CXX_COMPILER
"""

import os
import re
import subprocess
import sys
import tempfile

HEADER, CC, CXX = sys.argv[1:4]
FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unused-variable", "-fsyntax-only", "-I", os.path.dirname(HEADER)]

with open(HEADER, encoding="utf-8") as file:
    text = file.read()
idioms = {language: re.search(rf"^ \* +{re.escape(language)}: +(.*;)$", text, re.M).group(1) for language in ("C", "C++")}
structs = re.findall(r"typedef struct (fathom_\w+) \{\s*uint32_t struct_size;", text)
assert len(structs) > 15, structs

failed = False
for language, compiler, suffix, standards in (("C", CC, "c", ("c99", "c11", "c17")), ("C++", CXX, "cpp", ("c++11", "c++20"))):
    assert "fathom_xyz_options options" in idioms[language], idioms
    program = "#include <fathom.h>\n\n" + "".join(
        f"int {struct}_is_made(void);\nint {struct}_is_made(void) {{\n  "
        + idioms[language].replace("fathom_xyz_options", struct)
        + "\n  return options.struct_size == sizeof options ? 0 : 1;\n}\n" for struct in structs)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"idiom.{suffix}")
        with open(path, "w", encoding="ascii") as out:
            out.write(program)
        for standard in standards:
            done = subprocess.run([compiler, f"-std={standard}", *FLAGS, path], capture_output=True, text=True, check=False)
            print(f"{language} as {standard}: {'compiles' if done.returncode == 0 else done.stderr}")
            failed |= done.returncode != 0
sys.exit(1 if failed else 0)
