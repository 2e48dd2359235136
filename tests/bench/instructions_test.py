"""instructions.py with a valgrind whose counts are known: what it lets pass and what not."""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.py")
PROGRAM = "#!/bin/sh\n[ \"$1\" = --list ] && printf 'short\\nlong work\\n'\n"
VALGRIND = """#!/usr/bin/env python3
import json, sys
with open({counts!r}) as file:
    count = json.load(file)[sys.argv[-1]]
if count is None:
    print("==1== Callgrind\\nthe model is gone", file=sys.stderr)
    sys.exit(1)
out = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--callgrind-out-file="))
with open(out, "w") as file:
    file.write(f"version: 1\\nevents: Ir\\nfn=(1)\\n0 {{count}}\\ntotals: {{count}}\\n")
"""


class InstructionsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.program, self.valgrind = self.script("program", PROGRAM), self.script("valgrind", VALGRIND.format(counts=self.path("counts")))
        self.numbers = self.path("numbers.json")
        self.write(self.numbers, {"compiler": "GNU 1", "instructions": {"short": 1000, "long work": 2000000}})

    def path(self, name):
        return os.path.join(self.folder, name)

    def script(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.path(name), stat.S_IRWXU)
        return self.path(name)

    @staticmethod
    def write(path, value):
        with open(path, "w", encoding="ascii") as file:
            json.dump(value, file)

    def run_with(self, short, long_work, *flags, compiler="GNU 1"):
        self.write(self.path("counts"), {"short": short, "long work": long_work})
        done = subprocess.run([sys.executable, SCRIPT, self.program, self.numbers, "--valgrind", self.valgrind, "--compiler", compiler, *flags],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_within_three_per_cent_passes_both_ways(self):
        self.assertEqual(self.run_with(1030, 1940000)[0], 0)

    def test_more_and_less_than_that_fails_and_is_named(self):
        code, _, said = self.run_with(1031, 2000000)
        self.assertEqual(code, 1)
        self.assertIn("short: 1,031 instructions, +3.1 % of the committed 1,000", said)
        self.assertNotIn("long", said)
        code, _, said = self.run_with(1000, 1930000)
        self.assertEqual(code, 1)
        self.assertIn("long work: 1,930,000 instructions, -3.5 %", said)

    def test_another_compiler_is_only_run(self):
        code, said, _ = self.run_with(5000, 5, compiler="GNU 2")
        self.assertEqual(code, 0)
        self.assertIn("only run, not compared: the numbers are of GNU 1, this is GNU 2", said)
        self.assertEqual(self.run_with(None, 5, compiler="GNU 2")[0], 1)

    def test_workloads_and_numbers_must_be_the_same(self):
        self.write(self.numbers, {"compiler": "GNU 1", "instructions": {"short": 1000, "gone": 7}})
        code, _, said = self.run_with(1000, 2)
        self.assertEqual(code, 1)
        self.assertIn("gone: there is no such workload any more", said)
        self.assertIn("long work: there is no committed number", said)

    def test_a_run_that_fails_or_counts_nothing_fails(self):
        code, _, said = self.run_with(1000, None)
        self.assertEqual((code, said), (1, "instructions: long work: the model is gone\n"))
        self.assertIn("counted nothing", self.run_with(0, 2000000)[2])

    def test_renewing_writes_what_then_passes(self):
        self.assertEqual(self.run_with(4000, 50, "--renew", compiler="GNU 3")[0], 0)
        with open(self.numbers, encoding="ascii") as file:
            self.assertEqual(json.load(file), {"compiler": "GNU 3", "instructions": {"short": 4000, "long work": 50}})
        self.assertEqual(self.run_with(4000, 50, compiler="GNU 3")[0], 0)


if __name__ == "__main__":
    unittest.main()
