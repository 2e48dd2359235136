"""Prompts: as text or ids, on the command line, in a file or from standard input."""

import json
import os

from tool import FAILED, ToolTest, USAGE, fixture, main, run


class Prompt(ToolTest):
    def written(self, name, content):
        with open(self.path(name), "wb") as out:
            out.write(content)
        return self.path(name)

    def prompt_of(self, *arguments, text=None):
        """What the model takes in, told from what it computes: the last row of logits."""
        output = self.path("prompt.npy")
        self.succeed("logits", self.text_model(), *arguments, "--all", "--output", output, text=text)
        with open(output, "rb") as file:
            return file.read()

    def test_a_text_comes_from_a_file_or_from_standard_input(self):
        expected = self.prompt_of("--prompt", "Once upon\na time")
        for content in (b"Once upon\na time", b"Once upon\na time\n", b"Once upon\na time\r\n"):
            self.assertEqual(self.prompt_of("--prompt-file", self.written("prompt", content)), expected)
            for flag in ("--prompt-file", "--prompt"):
                self.assertEqual(self.prompt_of(flag, "-", text=content), expected)
        self.assertNotEqual(self.prompt_of("--prompt-file", self.written("prompt", b"Once upon\na time\n\n")), expected)

    def test_a_text_may_be_longer_than_an_argument(self):
        text = b"a" * 200_000
        self.refuse(FAILED, "generate", self.text_model(), "--prompt-file", self.written("long", text), says="1024")
        done = run("generate", self.text_model(), "--prompt-file", "-", "--context", 1024, text=text)
        self.assertIn(b"200001", done.stderr, "the whole text is read")

    def test_ids_come_from_a_file_or_from_standard_input(self):
        expected = self.prompt_of("--tokens", "0,74,107")
        for content in (b"0,74,107", b"0 74\n107\n", b" 0, 74 ,\t107\r\n"):
            self.assertEqual(self.prompt_of("--tokens-file", self.written("ids", content)), expected)
            self.assertEqual(self.prompt_of("--tokens-file", "-", text=content), expected)

    def test_every_command_with_a_prompt_takes_it_from_a_file(self):
        path = self.written("ids", b"1,2,3\n")
        for command in (("generate", fixture("mixtral"), "--max-tokens", 1), ("routes", fixture("mixtral"))):
            self.succeed(*command, "--tokens-file", path)
            self.succeed(*command, "--tokens-file", "-", text=b"1")
        chat = ("generate", self.text_model(), "--chat", "--max-tokens", 1, "--json")
        by_file, by_text = (json.loads(self.succeed(*chat, *flags))["timings"]["prompt_tokens"]
                            for flags in (("--prompt-file", self.written("text", b"Hello\n")), ("--prompt", "Hello")))
        self.assertEqual(by_file, by_text)

    def test_a_comma_without_an_id_is_an_error(self):
        model = fixture("llama3")
        for ids in ("1,,2", ",1", "1,", "1, ,2", ",", " , "):
            self.refuse(USAGE, "generate", model, "--tokens", ids, says="comma")
            self.refuse(FAILED, "generate", model, "--tokens-file", "-", text=ids.encode(), says="comma")
        self.refuse(FAILED, "perplexity", model, "--tokens-file", "-", text=b"1,,2", says="comma")
        for ids in ("1 2", " 1,2 ", "1 ,\n2"):
            self.succeed("generate", model, "--tokens", ids, "--max-tokens", 1)

    def test_a_begin_token_that_is_written_is_not_doubled(self):
        plain = self.prompt_of("--tokens", "0,74,107")
        self.assertEqual(self.prompt_of("--prompt", "<s>Hi", "--special"), plain)
        self.assertEqual(self.prompt_of("--prompt", "Hi", "--special"), plain)
        self.assertEqual(self.prompt_of("--prompt", "<s><s>Hi", "--special"), self.prompt_of("--tokens", "0,0,74,107"))
        self.assertEqual(self.prompt_of("--prompt", "<s>", "--special"), self.prompt_of("--tokens", "0"))
        self.assertEqual(self.prompt_of("--prompt", "<s>Hi"), self.prompt_of("--tokens", "0,62,117,64,74,107"))

    def test_one_prompt_is_wanted(self):
        model = self.text_model()
        for flags in ((), ("--prompt", "a", "--prompt-file", "b"), ("--tokens", "1", "--tokens-file", "b"), ("--prompt", "a", "--tokens", "1")):
            for command in (("generate", model), ("routes", model), ("logits", model, "--output", os.devnull)):
                self.refuse(USAGE, *command, *flags, says="--prompt-file")
        self.refuse(USAGE, "generate", model, "--chat", "--tokens", "1", says="--prompt")
        self.refuse(USAGE, "generate", model, "--chat", "--special", "--prompt", "a", says="--special")

    def test_an_empty_or_missing_file_is_named(self):
        for flag in ("--prompt-file", "--tokens-file"):
            self.refuse(FAILED, "generate", self.text_model(), flag, self.path("none"), says="none cannot be opened")
        self.refuse(FAILED, "generate", fixture("llama3"), "--tokens-file", "-", text=b"\n", says="empty")


if __name__ == "__main__":
    main()
