"""What the tests of the fathom tool share: running it, the fixtures and their goldens.

Each test is run as NAME_test.py TOOL DATA     TOOL: build/bin/fathom; DATA: tests/conformance/data
"""

import array
import ast
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import text_model

TOOL, DATA = sys.argv[1:3]
OK, FAILED, USAGE, CONTEXT_FULL, INTERRUPTED = 0, 1, 2, 3, 130


def fixture(name):
    return os.path.join(DATA, name)


def run(*arguments, text=None, timeout=300):
    """Runs the tool; outputs as bytes."""
    return subprocess.run([TOOL, *map(str, arguments)], input=b"" if text is None else text, capture_output=True, timeout=timeout,
                          check=False)


def golden(name):
    """A fixture's reference values by tensor name: (shape, values)."""
    with open(os.path.join(fixture(name), "golden.safetensors"), "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        body = file.read()
    tensors = {}
    for tensor, entry in header.items():
        if tensor != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[tensor] = entry["shape"], array.array({"F32": "f", "I32": "i"}[entry["dtype"]], body[begin:end])
    return tensors


def read_npy(path):
    """(shape, values) of a float32 .npy file, checked to be one that NumPy reads."""
    with open(path, "rb") as file:
        magic, size = file.read(8), struct.unpack("<H", file.read(2))[0]
        header = ast.literal_eval(file.read(size).decode("ascii"))
        values = array.array("f", file.read())
    assert magic == b"\x93NUMPY\x01\x00" and (10 + size) % 64 == 0, (magic, size)
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    assert len(values) == math.prod(header["shape"])
    return list(header["shape"]), values


def ids(values):
    return ",".join(map(str, values))


class ToolTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def text_model(self):
        folder = self.path("text-model")
        text_model.make(fixture("llama3"), folder)
        return folder

    def succeed(self, *arguments, text=None):
        done = run(*arguments, text=text)
        self.assertEqual(done.returncode, OK, done.stderr.decode())
        return done.stdout

    def refuse(self, code, *arguments, text=None, says=""):
        """The tool fails with this code, one sentence on stderr and nothing on stdout."""
        done = run(*arguments, text=text)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, code, message)
        self.assertEqual(done.stdout, b"")
        self.assertRegex(message, r"\Afathom: .+\n\Z")
        self.assertIn(says, message)


def main():
    unittest.main(module="__main__", argv=sys.argv[:1])
