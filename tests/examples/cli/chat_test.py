"""fathom chat, at the end of a pipe."""

import json
import os

from tool import CONTEXT_FULL, FAILED, OK, ToolTest, fixture, main, run


class Chat(ToolTest):
    def test_lines_are_turns(self):
        done = run("chat", self.text_model(), "--max-tokens", 8, "--temperature", 1, "--seed", 1,
                   text=b"Hello\nAnd again\n/reset\nHello\n/quit\nnot read\n")
        self.assertEqual(done.returncode, OK, done.stderr.decode())
        self.assertEqual(done.stderr, b"")

    def test_commands(self):
        done = run("chat", self.text_model(), "--max-tokens", 4, text=b"/help\n/nonsense\nHi\n/stats\n")
        self.assertEqual(done.returncode, OK)
        self.assertIn(b"/reset", done.stdout)
        self.assertIn(b"there is no command /nonsense", done.stderr)
        self.assertRegex(done.stderr.decode(), r"context +\d+ of 1024 tokens")

    def test_a_turn_that_does_not_fit_is_refused_and_the_talk_goes_on(self):
        done = run("chat", self.text_model(), "--context", 80, "--max-tokens", 4, text=b"x" * 200 + b"\nHi\n/stats\n")
        self.assertEqual(done.returncode, OK, done.stderr.decode())
        self.assertIn(b"/reset begins a new conversation", done.stderr)
        self.assertRegex(done.stderr.decode(), r"generation +[1-4] tokens")

    def test_when_nothing_fits_the_exit_code_says_so(self):
        model = self.text_model()
        for text in (b"x" * 200 + b"\n", b"x" * 100 + b"\n" + b"y" * 100 + b"\n"):
            done = run("chat", model, "--context", 80, "--max-tokens", 4, text=text)
            self.assertEqual((done.returncode, done.stdout), (CONTEXT_FULL, b""))
            self.assertIn(b"80", done.stderr)
        # an answer that the end of the context cuts off is no answer
        done = run("chat", model, "--context", 50, "--temperature", 0, text=b"Hi\n")
        self.assertEqual(done.returncode, CONTEXT_FULL, done.stdout)
        self.assertIn(b"the context of 50 tokens is full", done.stderr)
        self.assertEqual(run("chat", model, text=b"").returncode, OK)
        self.assertEqual(run("chat", model, text=b"/help\n").returncode, OK)

    def test_an_unknown_format_is_named_at_once(self):
        folder = self.text_model()
        with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as out:
            json.dump({"bos_token": "<s>", "chat_template": "{{ messages }}"}, out)
        self.refuse(FAILED, "chat", folder, text=b"Hi\n")
        self.refuse(FAILED, "chat", fixture("llama3"), text=b"Hi\n", says="tokenizer")


if __name__ == "__main__":
    main()
