"""The two smallest programs answer, say so when they cannot, and are the ones that the README prints.

hello_test.py HELLO_C HELLO_CPP ROOT     ROOT: the source tree
"""

import os
import subprocess
import sys
import tempfile
import unittest

import text_model

PROGRAMS, ROOT = sys.argv[1:3], sys.argv[3]
TALES = os.path.join(ROOT, "examples", "models", "fathom-tales")


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False)


class Hello(unittest.TestCase):
    def test_both_answer_a_question_alike(self):
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "model")
            text_model.make(os.path.join(ROOT, "tests", "conformance", "data", "llama3"), model)
            answers = [run(program, model, "Hi") for program in PROGRAMS]
        self.assertEqual([answer.returncode for answer in answers], [0, 0], answers)
        self.assertGreater(len(answers[0].stdout), 1)
        self.assertEqual(answers[0].stdout, answers[1].stdout)

    def test_the_model_in_the_box_tells_a_whole_story(self):
        stories = [run(program, TALES).stdout for program in PROGRAMS]
        self.assertEqual(stories[0], stories[1])
        self.assertRegex(stories[0], r'(?s)\A"?[A-Z].{200,2000}[.!?]"?\n\Z')

    def test_without_a_name_the_model_is_model_gguf(self):
        with tempfile.TemporaryDirectory() as folder:
            for program in PROGRAMS:
                lost = subprocess.run([program], cwd=folder, capture_output=True, text=True, check=False)
                self.assertEqual(lost.returncode, 2)
                self.assertIn("model.gguf", lost.stderr)

    def test_failures_are_told(self):
        for program in PROGRAMS:
            lost = run(program, "/no/such/model")
            self.assertEqual((lost.returncode, lost.stdout.strip()), (1, ""))
            self.assertIn("/no/such/model", lost.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
