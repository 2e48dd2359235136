"""The two smallest programs answer, and say so when they cannot.

hello_test.py HELLO_C HELLO_CPP DATA
"""

import os
import subprocess
import sys
import tempfile

import text_model

programs, data = sys.argv[1:3], sys.argv[3]
with tempfile.TemporaryDirectory() as folder:
    model = os.path.join(folder, "model")
    text_model.make(os.path.join(data, "llama3"), model)
    answers = []
    for program in programs:
        assert subprocess.run([program], capture_output=True, check=False).returncode == 2
        lost = subprocess.run([program, "/no/such/model"], capture_output=True, check=False)
        assert lost.returncode == 1 and b"/no/such/model" in lost.stderr, lost
        answers.append(subprocess.run([program, model, "Hi"], capture_output=True, check=True).stdout)
    assert len(answers[0]) > 1 and answers[0] == answers[1], answers
