"""The quickstart without a network: which model answers, how it is asked, and what is said where none can.

quickstart_test.py ROOT TOOL DATA     ROOT: the source tree; TOOL: build/bin/fathom; DATA: tests/conformance/data

Tools are given to the script, so nothing is installed or built here.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

import text_model

ROOT, TOOL, DATA = sys.argv[1:4]
TALES = os.path.join("examples", "models", "fathom-tales")
DEFAULT_MODEL, DEFAULT_SIZE = "SmolLM2-135M-Instruct.Q4_1.gguf", 98362432


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.tree = os.path.join(self.folder.name, "tree")
        os.makedirs(os.path.join(self.tree, "examples"))
        shutil.copy(os.path.join(ROOT, "examples", "quickstart.sh"), os.path.join(self.tree, "examples"))
        self.cache = os.path.join(self.folder.name, "cache")
        os.mkdir(self.cache)
        # A port that is taken but not listened at: whoever goes through this proxy is refused at once.
        self.closed = socket.socket()
        self.addCleanup(self.closed.close)
        self.closed.bind(("127.0.0.1", 0))

    def quickstart(self, *arguments, tree=None, tool=TOOL):
        proxy = f"http://127.0.0.1:{self.closed.getsockname()[1]}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "FATHOM_"))}
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            environment[name] = environment[name.upper()] = proxy
        environment.update(no_proxy="", NO_PROXY="", PIP_CONFIG_FILE=os.devnull, XDG_CACHE_HOME=self.cache, FATHOM_TOOL=tool)
        return subprocess.run([os.path.join(tree or self.tree, "examples", "quickstart.sh"), *arguments], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)

    def put_model_in_the_box(self):
        text_model.make(os.path.join(DATA, "deepseek-v3"), os.path.join(self.tree, TALES))

    def recorder(self):
        """A tool that prints what it was called with, a line an argument."""
        path = os.path.join(self.folder.name, "recorder")
        with open(path, "w", encoding="ascii") as out:
            out.write("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
        os.chmod(path, 0o755)
        return path

    def called_with(self, *arguments):
        run = self.quickstart(*arguments, tool=self.recorder())
        self.assertEqual(run.returncode, 0, run.stderr)
        words = run.stdout.splitlines()
        self.assertEqual((words[0], words[2]), ("generate", "--chat"))
        return words[1], dict(zip(words[3::2], words[4::2])), run.stderr

    def test_without_any_model_it_fails_and_says_what_to_do(self):
        run = self.quickstart()
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertIn("could not be fetched", run.stderr)
        self.assertIn("--model PATH", run.stderr)
        self.assertEqual(os.listdir(os.path.join(self.cache, "fathom", "models")), [], "half a download stays behind")
        for model in ("tales", "/no/such/model"):
            run = self.quickstart("--model", model)
            self.assertEqual((run.returncode, run.stdout), (1, ""))
            self.assertIn("there is no model at", run.stderr)

    def test_the_model_in_the_box_answers_where_none_can_be_fetched(self):
        self.put_model_in_the_box()
        run = self.quickstart()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertGreater(len(run.stdout), 10)
        for words in ("could not be fetched", "no download needed", TALES):
            self.assertIn(words, run.stderr)

    def test_it_is_chosen_by_name_and_nothing_is_fetched(self):
        self.put_model_in_the_box()
        model, options, told = self.called_with("--model", "tales")
        self.assertEqual(model, TALES)
        self.assertIn("story", options["--prompt"])
        self.assertEqual(options["--temperature"], "0.7")
        self.assertNotIn("--repeat-penalty", options, "names must come again")
        self.assertNotIn("fetch", told)
        self.assertEqual(os.listdir(self.cache), [])
        for arguments in (("--model", "tales", "A story, please."), ("A story, please.", "--model", os.path.join(self.tree, TALES))):
            model, options, _ = self.called_with(*arguments)
            self.assertEqual((options["--prompt"], options["--temperature"]), ("A story, please.", "0.7"))

    def test_a_model_fetched_before_comes_first(self):
        self.put_model_in_the_box()
        fetched = os.path.join(self.cache, "fathom", "models", DEFAULT_MODEL)
        os.makedirs(os.path.dirname(fetched))
        with open(fetched, "wb") as out:
            out.truncate(DEFAULT_SIZE)
        model, options, told = self.called_with()
        self.assertEqual(model, fetched)
        self.assertIn("New Year", options["--prompt"])
        self.assertNotIn("fetch", told)

    def assert_story(self, story):
        self.assertGreater(len(story.split()), 60, story)
        self.assertLess(len(story.split()), 450, "it did not end by itself:\n" + story)
        self.assertRegex(story, r'(?s)\A"?[A-Z].*[.!?]"?\Z')

    def test_the_trained_model_tells_a_whole_story(self):
        run = self.quickstart(tree=ROOT)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("no download needed", run.stderr)
        self.assert_story(run.stdout.strip())

    def test_it_keeps_the_name_it_was_asked_for(self):
        run = self.quickstart("Tell me a story about a rabbit named Pip.", "--model", "tales", tree=ROOT)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertGreaterEqual(run.stdout.count("Pip"), 4, run.stdout)
        self.assertIn("rabbit", run.stdout)

    def test_the_plain_command_goes_on_from_a_clone(self):
        begun = "Once upon a time"
        run = subprocess.run([TOOL, "generate", TALES, "--prompt", begun, "--seed", "1"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assert_story(begun + run.stdout.rstrip())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
