"""frame_budget_test.py PROGRAM MODEL      the loop runs, prints both histograms, and lets the model say something"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, MODEL = sys.argv.pop(1), sys.argv.pop(1)


class FrameBudget(unittest.TestCase):
    def test_both_histograms_count_every_frame(self):
        run = subprocess.run([PROGRAM, MODEL, "--frames", "30", "--work-ms", "1", "--prompt", "Hi"], capture_output=True,
                             check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        out = run.stdout.decode("utf-8", "replace")
        for title in ("without the model", "with the model"):
            block = out[out.index(f"{title}: 30 frames"):].splitlines()[1:11]
            self.assertEqual(sum(int(line.split("ms")[1].split()[0]) for line in block), 30)
        self.assertIn("it said", out)

    def test_a_model_with_a_small_context_talks_too(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(MODEL, folder, dirs_exist_ok=True)
            path = os.path.join(folder, "config.json")
            with open(path, encoding="utf-8") as file:
                config = json.load(file)
            config["max_position_embeddings"] = 100
            with open(path, "w", encoding="utf-8") as file:
                json.dump(config, file)
            run = subprocess.run([PROGRAM, folder, "--frames", "5", "--work-ms", "1", "--prompt", "Hi"], capture_output=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_a_missing_model_is_named(self):
        run = subprocess.run([PROGRAM, "/no/such/model"], capture_output=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"/no/such/model", run.stderr)


if __name__ == "__main__":
    unittest.main()
