"""A type checker accepts the package and right programs, and finds wrong options.

types_test.py MYPY      MYPY: a command with mypy
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
MYPY = sys.argv.pop(1)

RIGHT = """
import pathlib
from typing import List, Tuple

import fathom

options: fathom.SessionOptions = {"temperature": 0.5, "stop": "end", "cache": "f16"}
with fathom.Model(pathlib.Path("model"), fathom.Runtime(threads=2)) as model:
    answer = model.chat([{"role": "user", "content": "Hello"}], max_new_tokens=3, **options)
    pieces: List[str] = list(answer)
    counts: Tuple[int, int] = (answer.usage.prompt_tokens, answer.usage.new_tokens)
    reason: str = answer.finish_reason
    took_us: float = answer.timings.first_token_us
    with model.session(context_length=100, stop=["a", "b"], top_k=5) as session, fathom.Batch(model) as batch:
        session.append(model.encode("text"))
        session.set_sampling(temperature=0.3, seed=1)
        batch.add(session)
        active: int = batch.step(budget_us=100)["active"]
        members: List[fathom.Session] = batch.members
        state: bytes = session.save()
"""
WRONG = [  # a line, and words of the complaint
    ("model.session(temprature=0.5)", "temprature"),
    ("model.session(temperature='hot')", "temperature"),
    ("model.chat([], context_length='long')", "context_length"),
    ("model.session().set_sampling(cache='f16')", "cache"),
    ("fathom.Model(5)", "Argument 1"),
    ("model.session().append('text')", "append"),
    ("model.encode_chat([{'role': 'user', 'content': None}])", "Dict entry 1"),
    ("fathom.Batch(model).step()['actve']", "actve"),
    ("for number in model.chat([]): number + 1", "operand"),
]


class Types(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def mypy(self, *arguments, program=None):
        if program is not None:
            path = pathlib.Path(self.folder.name) / "program.py"
            path.write_text(program)
            arguments += (str(path),)
        run = subprocess.run([MYPY, "--cache-dir", self.folder.name, "--no-error-summary",
                              "--config-file", PACKAGE / "pyproject.toml", *arguments],
                             cwd=PACKAGE, capture_output=True, text=True, check=False)
        return run.stdout + run.stderr

    def test_the_package_and_programs_that_are_right_are_clean(self):
        # the oldest version that this checker knows
        self.assertEqual(self.mypy("--python-version", "3.10", *map(str, (PACKAGE / "fathom").glob("*.py")), program=RIGHT), "")

    def test_wrong_options_are_found(self):
        lines = "".join(f"{line}\n" for line, _ in WRONG)
        told = self.mypy(program=f"import fathom\nmodel = fathom.Model('m')\n{lines}").splitlines()
        for at, (line, words) in enumerate(WRONG, 3):
            self.assertTrue(any(f"program.py:{at}:" in each and words in each for each in told), f"{line}: {told}")


if __name__ == "__main__":
    unittest.main()
