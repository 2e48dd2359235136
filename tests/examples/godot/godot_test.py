"""godot_test.py GODOT_SH CXX SOURCES PROJECT MODEL      the extension in a real Godot, without a window

GODOT_SH prints a command that runs Godot; SOURCES are the extension's, PROJECT is the demo as it was built.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
GODOT_SH, CXX, SOURCES, PROJECT, MODEL = sys.argv[1:]
del sys.argv[1:]
COMPLAINT = re.compile(r"^.*(?:ERROR|WARNING|leaked|unclaimed|Orphan).*$", re.MULTILINE)


class Godot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.command = subprocess.run([GODOT_SH], check=True, capture_output=True, text=True).stdout.split()
        cls.folder = tempfile.TemporaryDirectory()
        cls.home = pathlib.Path(cls.folder.name)
        cls.project = cls.home / "project"
        shutil.copytree(PROJECT, cls.project, ignore=shutil.ignore_patterns(".godot"))
        # The editor writes this list when it finds an extension. But one without a window then crashes at its end, with any
        # extension, from Godot 4.5 on (godotengine/godot#111048).
        (cls.project / ".godot").mkdir()
        (cls.project / ".godot" / "extension_list.cfg").write_text("res://addons/fathom/fathom.gdextension\n")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def godot(cls, *arguments):
        return subprocess.run([*cls.command, "--headless", *map(str, arguments)], cwd=cls.home, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                              env={**os.environ, "HOME": str(cls.home)})

    def test_the_editor_opens_the_project(self):
        run = self.godot("--path", self.project, "--verbose", "--import")
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("lighthouse.tscn", run.stdout)
        self.assertNotIn("ERROR", run.stdout)

    def test_the_node_does_what_it_says(self):
        run = self.godot("--path", self.project, "--verbose", "--script", HERE / "chat_test.gd", "--", MODEL)
        print("\n".join(line for line in run.stdout.splitlines() if line.startswith(("passed", "FAILED", "  "))))
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertGreater(run.stdout.count("passed: "), 10, run.stdout)
        self.assertEqual(COMPLAINT.findall(run.stdout), [], "Godot complains of nothing, leaks included")

    def test_the_declarations_are_those_of_godot(self):
        self.assertEqual(self.godot("--dump-gdextension-interface").returncode, 0)
        check = subprocess.run([CXX, "-std=c++20", "-fsyntax-only", "-I", SOURCES, "-I", self.home,
                                HERE / "same_interface.cpp"], capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stderr)


if __name__ == "__main__":
    unittest.main()
