"""compare.sh against made-up engines whose speeds are known, so that its arithmetic can be checked; and with the real tool.

compare_test.py TOOL MODEL     TOOL: build/bin/fathom; MODEL: any model it runs
"""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

TOOL, MODEL = sys.argv[1:3]
COMPARE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare.sh")

# Notes its arguments and answers with the next of its speeds, in the shape of what it stands for.
ENGINE = """#!/usr/bin/env python3
import json, os, sys
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps([{name!r}, arguments]) + "\\n")
with open({state!r}) as file:
    speeds = json.load(file)
speed = speeds.pop(0)
with open({state!r}, "w") as file:
    json.dump(speeds, file)
if speed is None:
    print("warming up")
    print("the model is not to my taste", file=sys.stderr)
    sys.exit(3)
def after(flag):
    return int(arguments[arguments.index(flag) + 1]) if flag in arguments else 0
{answer}
"""
FATHOM = 'print(json.dumps({"runs": [{"tokens_per_s": {"median": speed, "min": 1, "max": 1e9}}]}))'
PEER = """
gp = arguments[arguments.index("-gp") + 1].split(",") if "-gp" in arguments else None
tests = [{"n_prompt": after("-p"), "n_gen": 0}] if after("-p") else []
tests += [{"n_prompt": 0, "n_gen": after("-n")}] if after("-n") else []
tests += [{"n_prompt": int(gp[0]), "n_gen": int(gp[1])}] if gp else []
print(json.dumps([dict(test, avg_ts=speed, samples_ts=[speed]) for test in tests]))
"""
BATCHED = """
print("main: n_kv_max = 1, n_batch = 2048")
print("|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |")
print("|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|")
print(f"|{after('-npp'):6d} |{after('-ntg'):6d} |{after('-npl'):4d} |   100 |    0.500 |    77.00 |    0.250 |{speed:9.2f} "
      "|    0.750 |    99.00 |", file=sys.stderr)  # where some engines print it
"""


class CompareTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = self.path("log")

    def path(self, name):
        return os.path.join(self.folder, name)

    def engine(self, name, answer, speeds):
        with open(self.path(name + ".speeds"), "w", encoding="ascii") as file:
            json.dump(speeds, file)
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(ENGINE.format(log=self.log, name=name, state=self.path(name + ".speeds"), answer=answer))
        os.chmod(self.path(name), stat.S_IRWXU)
        return self.path(name)

    def compare(self, *arguments, code=0, **environment):
        done = subprocess.run([COMPARE, *map(str, arguments)], capture_output=True, text=True, check=False,
                              env={**os.environ, **environment}, timeout=120)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def calls(self):
        with open(self.log, encoding="ascii") as file:
            return [json.loads(line) for line in file]

    def test_medians_ratios_and_the_order_of_runs(self):
        ours = self.engine("ours", FATHOM, [30, 20, 50])
        peer = self.engine("peer", PEER, [10, 40, 20])
        done = self.compare(peer, "some.gguf", "--fathom", ours, "-p", 128, "-n", 0, "-t", 2, "-r", 3, "--json",
                            PEER_FLAGS="-fa 1 -x 'a b'", FATHOM_FLAGS="--cache f16")
        (found,) = json.loads(done.stdout)
        self.assertEqual((found["run"], found["threads"]), ("prompt 128", 2))
        self.assertEqual((found["fathom"], found["peer"], found["ratio"]), (30, 20, 1.5))
        self.assertEqual(found["paired_ratio"], {"min": 0.5, "median": 2.5, "max": 3})
        self.assertEqual([name for name, _ in self.calls()], ["ours", "peer", "peer", "ours", "ours", "peer"])
        self.assertEqual(self.calls()[0][1], ["bench", os.path.abspath("some.gguf"), "-p", "128", "-n", "0", "-d", "0",
                                              "-b", "1", "-t", "2", "-r", "1", "--ceiling-mb", "0", "--json", "--cache", "f16"])
        self.assertEqual(self.calls()[1][1], ["-m", os.path.abspath("some.gguf"), "-p", "128", "-n", "0", "-t", "2", "-r", "1",
                                              "-o", "json", "-fa", "1", "-x", "a b"])

    def test_every_workload_has_its_own_numbers(self):
        ours = self.engine("ours", FATHOM, [1, 2, 3, 4, 5])
        peer = self.engine("peer", PEER, [1, 1, 1, 1])
        batched = self.engine("batched", BATCHED, [2])
        done = self.compare(peer, "m.gguf", "--fathom", ours, "-p", "8,16", "-n", 4, "-d", "0,32", "-t", 1, "-r", 1, "--json")
        self.assertEqual([(s["run"], s["ratio"]) for s in json.loads(done.stdout)],
                         [("prompt 8", 1), ("prompt 16", 2), ("generate 4", 3), ("generate 4 at 32", 4)])
        self.assertEqual(self.calls()[7][1][2:8], ["-p", "0", "-n", "4", "-d", "32"])
        done = self.compare(peer, "m.gguf", "--fathom", ours, "--batched", batched, "-p", 0, "-n", 4, "-b", 8, "-d", 16, "-t", 1, "-r", 1)
        self.assertRegex(done.stdout, r"\ngenerate 4 at 16 by 8 +1 +5\.00 +2\.00 +2\.500 +2\.500 2\.500 2\.500\n\Z")
        self.assertEqual(self.calls()[-1][1], ["-m", os.path.abspath("m.gguf"), "-c", "160", "-npp", "16", "-ntg", "4", "-npl", "8", "-t", "1"])

    def test_a_peer_may_have_another_word_for_depth(self):
        ours, peer = self.engine("ours", FATHOM, [6]), self.engine("peer", PEER, [3])
        done = self.compare(peer, "m.gguf", "--fathom", ours, "-p", 0, "-n", 4, "-d", 32, "-t", 1, "-r", 1, "--json", "--peer-depth", "gp")
        self.assertEqual(json.loads(done.stdout)[0]["ratio"], 2)
        self.assertEqual(self.calls()[1][1][2:8], ["-p", "0", "-n", "0", "-gp", "32,4"])

    def test_what_fails_is_named(self):
        ours = self.engine("ours", FATHOM, [1] * 9)
        broken = self.engine("broken", PEER, [None])
        done = self.compare(broken, "m.gguf", "--fathom", ours, code=1)
        self.assertIn("broken -m " + os.path.abspath("m.gguf"), done.stderr)
        self.assertIn("ended with 3: the model is not to my taste", done.stderr)
        self.assertEqual(done.stdout, "")
        silent = self.engine("silent", "print('no JSON')", [1])
        self.assertIn("printed what no llama-bench prints", self.compare(silent, "m.gguf", "--fathom", ours, code=1).stderr)
        self.assertIn("does not run", self.compare(self.path("none"), "m.gguf", "--fathom", ours, code=1).stderr)
        self.compare(ours, "m.gguf", "-b", 2, code=2)
        self.compare(ours, "m.gguf", "-r", 0, code=2)

    def test_it_understands_the_tool(self):
        peer = self.engine("peer", PEER, [1e-3] * 4)
        done = self.compare(peer, MODEL, "--fathom", TOOL, "-p", 16, "-n", 4, "-d", 8, "-t", 1, "-r", 2, "--json")
        prompt, generation = json.loads(done.stdout)
        self.assertEqual((prompt["run"], generation["run"]), ("prompt 16", "generate 4 at 8"))
        for found in (prompt, generation):
            self.assertEqual(len(found["fathom_rounds"]), 2)
            self.assertGreater(found["ratio"], 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
