"""The wheel is built in a fresh environment without network, and leaves nothing behind.

test_wheel.py PYTHON LIBRARY FOLDER     PYTHON: of a fresh environment; FOLDER gets the wheel

The package is copied into a small tree that looks like a clone, with a recorder in the place of cmake.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
PYTHON, LIBRARY, FOLDER = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1)).resolve(), pathlib.Path(sys.argv.pop(1)).resolve()
sys.path.insert(0, str(PACKAGE / "building"))
import elf  # noqa: E402
import wheel_backend  # noqa: E402


class WheelTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.home = pathlib.Path(self.folder.name).resolve()
        self.tree = self.home / "tree"
        (self.tree / "capi" / "include").mkdir(parents=True)
        (self.tree / "capi" / "include" / "fathom.h").touch()
        (self.tree / "CMakeLists.txt").touch()
        (self.tree / "LICENSE").write_text("the licence")
        self.package = self.tree / "capi" / "python"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def pip(self, *arguments, where, path=None, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FATHOM_", "PIP_"))}
        # as a shell leaves it in that folder; an index that is never asked
        kept.update(PWD=str(where), PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONDONTWRITEBYTECODE="1")
        kept.update(environment)
        kept["PATH"] = f"{path or self.tools('cmake-that-is-never-called')}:{kept['PATH']}"
        return subprocess.run([PYTHON, "-m", "pip", *map(str, arguments)], cwd=where, env=kept, capture_output=True, text=True,
                              check=False)

    def find(self, package, where, path=None, **environment):
        """The library's search alone, as pip runs it in the package's folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FATHOM_")}
        kept.update(PWD=str(where), PYTHONPATH=str(package / "building"), PYTHONDONTWRITEBYTECODE="1", **environment)
        kept["PATH"] = f"{path or self.tools('cmake-that-fails')}:{kept['PATH']}"
        return subprocess.run([PYTHON, "-c", "import library; print(library.find())"], cwd=package, env=kept, capture_output=True,
                              text=True, check=False)

    def tools(self, name, script="#!/bin/sh\necho cmake was called >&2\nexit 1\n"):
        folder = self.home / name
        folder.mkdir(exist_ok=True)
        (folder / "cmake").write_text(script)
        (folder / "cmake").chmod(0o755)
        return folder

    def put_library(self, folder):
        (self.tree / folder / "lib").mkdir(parents=True)
        shutil.copy(LIBRARY, self.tree / folder / "lib" / "libfathom.so")

    def wheel(self, run, where):
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        (found,) = pathlib.Path(where).glob("*.whl")
        return found

    def files_of_the_tree(self):
        return sorted(str(path.relative_to(self.tree)) for path in self.tree.rglob("*") if path.is_file())

    def test_a_relative_path_is_the_callers(self):
        self.put_library("somewhere")
        before = self.files_of_the_tree()
        for options in ((), ("--no-build-isolation",)):
            where = self.home / f"from{len(options)}"
            where.mkdir()
            os.symlink(self.tree / "somewhere", where / "near")
            run = self.pip("wheel", "--no-deps", *options, self.package, where=where, FATHOM_LIBRARY="near/lib/libfathom.so")
            self.wheel(run, where)
        self.assertEqual(self.files_of_the_tree(), before, "nothing is left in the source tree")

    def test_without_being_told_it_is_found_in_a_build_folder(self):
        self.put_library("build-other")
        (self.tree / "build" / "lib").mkdir(parents=True)
        (self.tree / "build" / "lib" / "libfathom.so").write_bytes(b"\x7fELF but no more")
        run = self.pip("wheel", "-v", "--no-deps", "./capi/python", where=self.tree)
        self.wheel(run, self.tree)
        self.assertIn(f"{self.tree}/build-other/lib/libfathom.so", run.stdout + run.stderr)
        self.assertIn("passed over", run.stdout + run.stderr)

    def test_without_any_it_is_built(self):
        script = f"""#!/bin/sh
echo "$@" >> {self.home}/calls
[ "$1" = --build ] && mkdir -p {self.tree}/build/lib && cp {LIBRARY} {self.tree}/build/lib/libfathom.so
exit 0
"""
        run = self.find(self.package, self.tree, path=self.tools("bin", script))
        self.assertEqual(run.stdout.strip(), f"{self.tree}/build/lib/libfathom.so", run.stderr)
        calls = (self.home / "calls").read_text().splitlines()
        self.assertIn(f"-S {self.tree} -B {self.tree}/build", calls[0])
        self.assertIn(f"--build {self.tree}/build --target fathom_capi", calls[1])

    def test_failures_name_the_absolute_paths_looked_at(self):
        run = self.pip("wheel", "--no-deps", self.package, where=self.home, FATHOM_LIBRARY="no/such.so")
        self.assertNotEqual(run.returncode, 0)
        for place in (self.home, self.tree, self.package):
            self.assertIn(f"{place}/no/such.so: there is no such file", run.stdout + run.stderr)
        for told, package, environment in (
                (f"there is no {self.tree}/build/lib/libfathom.so", self.package, {}),
                ("FATHOM_LIBRARY", self.package, {}),
                (f"{self.tree}/LICENSE is no 64-bit ELF file", self.package, {"FATHOM_LIBRARY": str(self.tree / "LICENSE")}),
                ("in no clone of the repository", pathlib.Path(shutil.copytree(self.package, self.home / "alone")), {})):
            run = self.find(package, self.home, **environment)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(told, run.stderr)
            self.assertNotIn("Traceback", run.stderr)

    def test_the_wheel_says_what_it_is(self):
        run = self.pip("wheel", "--no-deps", self.package, where=FOLDER, FATHOM_LIBRARY=str(LIBRARY))
        made = self.wheel(run, FOLDER)
        with zipfile.ZipFile(made) as archive:
            names = archive.namelist()
            (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
            about = archive.read(f"{info}/METADATA").decode()
            tag = re.search("^Tag: (.*)$", archive.read(f"{info}/WHEEL").decode(), re.M).group(1)
        for line in ("Author: The fathom maintainers", "License: Apache-2.0", "Summary: Large language models",
                     "# fathom for Python"):
            self.assertIn(line, about)
        self.assertNotIn("://", about.split("\n\n")[0])
        self.assertTrue(made.name.endswith(f"-{tag}.whl"))
        self.assertRegex(tag, r"^py3-none-manylinux_2_\d+_(x86_64|aarch64)$")
        for name in ("fathom/py.typed", "fathom/libfathom.so", "fathom/_abi.py", f"{info}/licenses/LICENSE", f"{info}/RECORD"):
            self.assertIn(name, names)

    def test_the_tag_is_the_oldest_glibc_that_has_what_the_library_needs(self):
        needs = elf.Elf(LIBRARY)
        told = subprocess.run(["objdump", "-p", LIBRARY], capture_output=True, text=True, check=True).stdout
        needed = max(tuple(map(int, each.split("."))) for each in re.findall(r"GLIBC_([0-9.]+)", told))
        self.assertEqual(needs.versions["GLIBC"], needed)

        def tag(**versions):
            needs.versions = {name: tuple(map(int, each.split("."))) for name, each in versions.items()}
            return elf.platform_tag(needs)
        machine = needs.machine
        self.assertEqual(tag(GLIBC="2.34", GLIBCXX="3.4.29", CXXABI="1.3.13"), f"manylinux_2_34_{machine}")
        self.assertEqual(tag(GLIBC="2.17", GLIBCXX="3.4.30"), f"manylinux_2_35_{machine}")
        self.assertEqual(tag(GLIBC="2.38", GLIBCXX="3.4.19"), f"manylinux_2_38_{machine}")
        self.assertEqual(tag(GLIBC="2.2.5"), f"manylinux_2_17_{machine}")
        self.assertEqual(tag(GLIBC="2.34", GLIBCXX="3.4.999"), f"linux_{machine}")
        needs.needed.append("libfoo.so.3")
        self.assertEqual(tag(GLIBC="2.34"), f"linux_{machine}")

    def test_files_that_are_no_library_are_refused(self):
        path = self.home / "file"
        whole = LIBRARY.read_bytes()
        for content in (b"", b"\x7fELF\x01\x01" + bytes(100), whole[:100], whole[:len(whole) // 2]):
            path.write_bytes(content)
            with self.assertRaises(ValueError):
                elf.Elf(path)

    def test_a_wheel_is_built_from_a_source_distribution(self):
        name = wheel_backend.build_sdist(str(self.home))
        with tarfile.open(self.home / name) as archive:
            archive.extractall(self.home)
        where = self.home / "out"
        where.mkdir()
        run = self.pip("wheel", "--no-deps", self.home / name, where=where, FATHOM_LIBRARY=str(LIBRARY))
        self.wheel(run, where)


if __name__ == "__main__":
    unittest.main()
