"""README.md's programs and commands, run as they are printed there.

readme_test.py ROOT BUILD CXX     ROOT: the source tree; BUILD: a whole build of it; CXX: the compiler of C++

The commands run in a folder that looks like a clone after the quickstart: `build` is BUILD, the home folder is empty but for the
quickstart's model, whose place the model in the box takes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, BUILD, CXX = sys.argv[1:4]
TALES = os.path.join(ROOT, "examples", "models", "fathom-tales")
SMALL_MODEL = os.path.join(".cache", "fathom", "models", "SmolLM2-135M-Instruct.Q4_1.gguf")
# What a test of its own runs, and the build, which has run.
ELSEWHERE = ("examples/quickstart.sh", "tests/run.sh", "cmake --build build")
TOKENS = 300  # the most that a program of README's may generate
SECONDS = 240


def fenced_blocks(text):
    """[(language, text)] of the blocks between ``` lines."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as readme:
    README = readme.read()
BLOCKS = fenced_blocks(README)


def program(language):
    found = [text for kind, text in BLOCKS if kind == language]
    assert len(found) == 1, f"README has {len(found)} blocks of {language}, expected 1"
    return found[0].replace('"model.gguf"', '"examples/models/fathom-tales"')


def shell_blocks():
    return [text for kind, text in BLOCKS if kind == "sh"]


class ReadmeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.clone, cls.home = (os.path.join(folder.name, name) for name in ("clone", "home"))
        os.mkdir(cls.clone)
        for name in ("examples", "capi", "tests"):
            os.symlink(os.path.join(ROOT, name), os.path.join(cls.clone, name))
        os.symlink(BUILD, os.path.join(cls.clone, "build"))
        os.makedirs(os.path.join(cls.home, os.path.dirname(SMALL_MODEL)))
        os.symlink(TALES, os.path.join(cls.home, SMALL_MODEL))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FATHOM_", "PYTHON", "LD_", "PKG_", "XDG_"))}
        cls.environment = {**kept, "HOME": cls.home, "CXX": CXX, "PYTHONDONTWRITEBYTECODE": "1"}
        for language, name in (("c", "story.c"), ("cpp", "story.cpp"), ("python", "story.py")):
            with open(os.path.join(cls.clone, name), "w", encoding="utf-8") as out:
                out.write(program(language))
        cls.shell(cls, "cmake --install build --prefix \"$HOME/fathom\"")

    def shell(self, script, said=""):
        run = subprocess.run(["bash", "-c", "set -euo pipefail\n" + script], cwd=self.clone, env=self.environment, input=said,
                             capture_output=True, text=True, timeout=SECONDS, check=False)
        assert run.returncode == 0, f"{script}\nexit status {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run.stdout

    def assert_stories(self, text, count=1):
        self.assertGreaterEqual(text.count("Milo"), 2 * count, text)
        self.assertGreater(len(text.split()), 40 * count, text)
        self.assertLess(len(text.split()), TOKENS * count, text)

    def test_commands_work_as_printed(self):
        ran = 0
        for block in shell_blocks():
            lines = [line for line in block.splitlines() if not line.startswith(ELSEWHERE)]
            output = self.shell("\n".join(lines), "Tell me a story about a frog named Milo.\n") if lines else ""
            ran += len(lines)
            if "story.c" in block:
                self.assert_stories(output, 2)
            elif "generate" in block:
                for expected in ("deepseek_v3", "runs here", "Milo"):
                    self.assertIn(expected, output)
        self.assertGreaterEqual(ran, 7)

    def test_what_others_test_is_printed(self):
        commands = "\n".join(shell_blocks())
        for command in ELSEWHERE:
            self.assertIn(command, commands)
        self.assertLess(commands.index("cmake --build build"), commands.index("cmake --install build"),
                        "the quickstart builds the tool only: building comes before installing")

    def test_the_c_program_compiles_without_a_warning(self):
        self.shell("PKG_CONFIG_PATH=$HOME/fathom/lib/pkgconfig; export PKG_CONFIG_PATH\n"
                   "cc -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only story.c $(pkg-config --cflags fathom)")

    def test_the_cpp_program_runs_with_the_installed_package(self):
        find, link = re.search(r"`(find_package\([^`]*\))`", README), "`fathom::fathom`"
        self.assertTrue(find and link in README)
        project = os.path.join(self.clone, "project")
        os.mkdir(project)
        shutil.copy(os.path.join(self.clone, "story.cpp"), project)
        with open(os.path.join(project, "CMakeLists.txt"), "w", encoding="utf-8") as out:
            out.write("cmake_minimum_required(VERSION 3.24)\nproject(story CXX)\nadd_compile_options(-Wall -Wextra -Werror)\n"
                      f"{find.group(1)}\nadd_executable(story story.cpp)\n"
                      f"target_link_libraries(story PRIVATE {link.strip('`')})\n")
        self.shell("cmake -S project -B project/build -DCMAKE_PREFIX_PATH=\"$HOME/fathom\" && cmake --build project/build")
        self.assert_stories(self.shell("project/build/story"))

    def test_the_rust_program_runs(self):
        cargo = shutil.which("cargo") or shutil.which("cargo", path=os.path.expanduser("~/.cargo/bin"))
        if not cargo:
            self.skipTest("there is no cargo here")
        crate = os.path.join(self.clone, "crate")
        os.makedirs(os.path.join(crate, "src"))
        with open(os.path.join(crate, "src", "main.rs"), "w", encoding="utf-8") as out:
            out.write(program("rust"))
        with open(os.path.join(crate, "Cargo.toml"), "w", encoding="utf-8") as out:
            out.write('[package]\nname = "story"\nversion = "1.0.0"\nedition = "2021"\n\n[workspace]\n\n[dependencies]\n'
                      f'fathom = {{ path = "{ROOT}/capi/rust/fathom" }}\n')
        rust = {name: os.environ.get(name, os.path.expanduser("~/." + name.partition("_")[0].lower())) for name in ("CARGO_HOME", "RUSTUP_HOME")}
        settings = " ".join(f"{name}='{value}'" for name, value in rust.items())
        self.assert_stories(self.shell(
            f"export {settings} CARGO_TARGET_DIR=\"$HOME/target\" FATHOM_LIBRARY_DIR=\"$HOME/fathom/lib\" LD_LIBRARY_PATH=\"$HOME/fathom/lib\"\n"
            f"'{cargo}' run -q --offline --manifest-path crate/Cargo.toml"))

    def test_the_csharp_program_runs(self):
        if not shutil.which("mcs"):
            self.skipTest("there is no mcs here")
        with open(os.path.join(self.clone, "Story.cs"), "w", encoding="utf-8") as out:
            out.write("static class Story { static void Main() {\n" + program("csharp") + "} }\n")  # mcs has no top-level statements
        self.shell("mcs -nologo -out:Story.exe capi/csharp/Fathom*.cs Story.cs")
        self.assert_stories(self.shell("LD_LIBRARY_PATH=\"$HOME/fathom/lib\" mono Story.exe"))

    def test_the_first_claim_is_that_of_the_table(self):
        table = README.partition("<!-- speed:")[2].partition("<!-- end of speed -->")[0]
        prompts = [line.split("|")[2] for line in table.splitlines() if "tok/s" in line]
        ratios = [float(ratio) for cell in prompts for ratio in re.findall(r"\d+\.\d+", re.search(r"\*\*(.*)\*\*", cell).group(1))]
        claim = re.search(r"prompts [^.]*?(\d\.\d) to (\d\.\d) times as fast", README.replace("\n", " "))
        self.assertEqual([f"{min(ratios):.1f}", f"{max(ratios):.1f}"], list(claim.groups()))

    def test_it_is_short(self):
        self.assertLessEqual(README.count("\n"), 160)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
