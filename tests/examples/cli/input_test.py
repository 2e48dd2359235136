"""Standard input, output and error that are closed or cannot be used: nothing else gets their descriptors."""

import os
import subprocess

from tool import FAILED, OK, TOOL, ToolTest, fixture, main, run


class Input(ToolTest):
    def shell(self, redirections, *arguments):
        """The tool with what the shell's redirections close."""
        script = 'exec "$0" "$@" ' + redirections
        return subprocess.run(["sh", "-c", script, TOOL, *map(str, arguments)], capture_output=True, timeout=60, check=False)

    def test_closed_standard_input_is_no_input(self):
        model, output = self.text_model(), self.path("x.npy")
        for command in (("chat", model, "--max-tokens", 4), ("tokenize", model), ("tokenize", model, "--jsonl"),
                        ("tokenize", model, "--decode"), ("perplexity", model, "--file", "-"), ("perplexity", model, "--tokens-file", "-"),
                        ("generate", model, "--prompt-file", "-"), ("generate", model, "--prompt", "-"),
                        ("logits", model, "--tokens-file", "-", "--output", output)):
            done = self.shell("<&-", *command)
            self.assertEqual((done.returncode, done.stdout), (FAILED, b""), command)
            self.assertRegex(done.stderr, rb"\Afathom: standard input cannot be read\n\Z")
        self.assertFalse(os.path.exists(output))

    def test_a_folder_as_standard_input_cannot_be_read(self):
        model = self.text_model()
        for command in (("chat", model), ("tokenize", model), ("tokenize", model, "--jsonl"), ("generate", model, "--prompt-file", "-")):
            done = self.shell("< /", *command)
            self.assertEqual((done.returncode, done.stdout), (FAILED, b""), command)
            self.assertIn(b"standard input cannot be read", done.stderr)

    def test_what_needs_no_input_works_without_one(self):
        model = fixture("llama3")
        for command in (("generate", model, "--tokens", "1,2", "--max-tokens", 2), ("inspect", model)):
            expected = run(*command)
            done = self.shell("<&-", *command)
            self.assertEqual((done.returncode, done.stdout), (OK, expected.stdout))

    def test_closed_standard_output_is_a_failure(self):
        for command in (("generate", fixture("llama3"), "--tokens", "1,2", "--max-tokens", 2), ("inspect", fixture("llama3"))):
            for redirection in (">&-", "<&- >&-"):
                done = self.shell(redirection, *command)
                self.assertEqual((done.returncode, done.stderr), (FAILED, b"fathom: standard output could not be written\n"))

    def test_messages_never_go_into_a_file_of_the_tool(self):
        output = self.path("logits.npy")
        command = ("logits", fixture("llama3"), "--tokens", "1,2", "--output", output)
        self.succeed(*command)
        with open(output, "rb") as file:
            expected = file.read()
        for redirections in ("<&-", "2>&-", "<&- >&- 2>&-"):
            os.remove(output)
            self.assertEqual(self.shell(redirections, *command).returncode, OK)
            with open(output, "rb") as file:
                self.assertEqual(file.read(), expected, redirections)
        os.remove(output)
        done = self.shell("2>&-", "logits", fixture("llama3"), "--tokens", "1,99999", "--output", output)
        self.assertEqual(done.returncode, FAILED)
        self.assertFalse(os.path.exists(output))


if __name__ == "__main__":
    main()
