"""Names, options and exit codes of the fathom tool."""

import os
import shutil

from tool import FAILED, ToolTest, USAGE, fixture, main, run


class Usage(ToolTest):
    def test_help_goes_to_stdout_and_has_examples(self):
        self.assertIn(b"generate", self.succeed("--help"))
        for command in ("generate", "chat", "inspect", "tokenize", "logits", "perplexity", "routes", "bench"):
            self.assertIn(b"Examples:\n  ", self.succeed(command, "--help"))
        self.assertEqual(self.succeed("--version"), b"fathom 1.0.0\n")

    def test_wrong_usage_is_2(self):
        model = fixture("llama3")
        self.refuse(USAGE, says="generate, chat, inspect")
        self.refuse(USAGE, "generate")
        self.refuse(USAGE, "generate", model)
        self.refuse(USAGE, "generate", model, "--tokens", "1", "--prompt", "a", says="--prompt or --tokens")
        self.refuse(USAGE, "generate", model, "--tokens", "1,two", says="'two'")
        self.refuse(USAGE, "generate", model, "--tokens", "99999999999", says="99999999999")
        self.refuse(USAGE, "generate", model, "--tokens", "1", "--no-such-flag")
        self.refuse(USAGE, "generate", model, "--tokens", "1", "--chat")
        for flag, value in (("--threads", -1), ("--threads", "two"), ("--temperature", -1), ("--top-p", 2), ("--top-k", -1),
                            ("--max-tokens", -1), ("--context", 0), ("--isa", "mmx"), ("--cache", "q4")):
            self.refuse(USAGE, "generate", model, "--tokens", "1", f"{flag}={value}", says=flag)
        self.refuse(USAGE, "logits", model, "--tokens", "1")
        self.refuse(USAGE, "logits", model, "--output", self.path("x.npy"))
        self.refuse(USAGE, "logits", model, "--tokens", "1", "--chunk", "0", "--output", self.path("x.npy"), says="--chunk")
        self.refuse(USAGE, "tokenize", model, "--decode", "--bos")

    def test_an_unknown_command_is_named_with_the_nearest_one(self):
        for word, nearest in (("frobnicate", "generate"), ("no-such-command", "logits"), ("serve", "inspect"), ("Chat", "chat"),
                              ("generat", "generate"), ("tokenise", "tokenize"), ("benhc", "bench"), ("x", "chat")):
            for arguments in ((word,), (word, "--help"), (word, "model.gguf", "--tokens", "1"), ("--help", word)):
                self.refuse(USAGE, *arguments, says=f"'{word}'")
            said = run(word).stderr.decode()
            self.assertRegex(said, r"the nearest is (generate|chat|inspect|tokenize|logits|perplexity|routes|bench)\b")
            if word not in ("frobnicate", "no-such-command", "serve", "x"):
                self.assertIn(f"the nearest is {nearest} ", said)

    def test_an_unknown_option_is_named_with_the_nearest_one(self):
        for command, option, nearest in (("generate", "--max-token", "--max-tokens"), ("chat", "--temprature", "--temperature"),
                                         ("inspect", "--jsn", "--json"), ("bench", "--chunks", "--chunk")):
            self.refuse(USAGE, command, "model", f"{option}=1", says=f"{command} has no option {option}; the nearest is {nearest} ")
        self.refuse(USAGE, "inspect", "model", "another", says="'another'")

    def test_limits_are_the_librarys_and_stand_in_the_help(self):
        model = fixture("llama3")
        for command, flag, inside, outside, words in (
                ("generate", "--threads", (0, 64), (-1, 1025, 4096, "nan", "1.5"), "0 to 1024"),
                ("generate", "--top-p", (1, 1e-30), (0, -1, 1.01, 2, "nan", "inf", 1e-60), "above 0, at most 1"),
                ("generate", "--min-p", (0, 1), (-0.1, 1.1, "nan"), "0 to 1"),
                ("generate", "--temperature", (0, 1e30), (-1, "nan", "inf", 1e39), "0 or more"),
                ("generate", "--top-k", (0, 2147483647), (-1, 2147483648, 0.5), "0 to 2147483647"),
                ("generate", "--repeat-penalty", (0.5, 1e30), (0, -1, "inf", 1e-60), "above 0"),
                ("generate", "--frequency-penalty", (-2, 2), ("nan", "-inf"), "finite"),
                ("generate", "--presence-penalty", (-2, 2), ("nan", "inf"), "finite"),
                ("generate", "--penalty-window", (0, 2147483647), (-1, 2147483648), "0 to 2147483647"),
                ("generate", "--seed", (0, 18446744073709551615), (-1, 18446744073709551616), "--seed"),
                ("logits", "--chunk", (1, 4096), (0, 4097), "1 to 4096"),
                ("bench", "--threads", (1,), (0, 1025), "1 to 1024"),
                ("bench", "--chunk", (4096,), (0, 4097, 8192), "1 to 4096"),
                ("bench", "--batch", (600,), (0, 4097), "1 to 4096")):
            self.assertIn(words, " ".join(self.succeed(command, "--help").decode().split()))
            rest = {"generate": ("--tokens", "1", "--max-tokens", 1, "--seed=1"), "logits": ("--tokens", "1", "--output", os.devnull),
                    "bench": ("-p", 0, "-n", 1, "-d", 0, "-r", 1, "--ceiling-mb", 0)}[command]
            rest = tuple(each for each in rest if flag != "--seed" or each != "--seed=1")
            for value in inside:
                self.succeed(command, model, *rest, f"{flag}={value}")
            for value in outside:
                with self.subTest(command=command, flag=flag, value=value):
                    self.refuse(USAGE, command, model, *rest, f"{flag}={value}", says=flag)

    def test_a_missing_model_is_1_and_named(self):
        missing = self.path("not-there")
        for command in (("generate", missing, "--tokens", "1"), ("chat", missing), ("inspect", missing), ("tokenize", missing),
                        ("logits", missing, "--tokens", "1", "--output", self.path("x.npy")),
                        ("perplexity", missing, "--file", __file__), ("routes", missing, "--tokens", "1"), ("bench", missing)):
            self.refuse(FAILED, *command, says=missing)
        self.assertFalse(os.path.exists(self.path("x.npy")))

    def test_a_broken_model_is_1(self):
        for name, content in (("empty.gguf", b""), ("short.gguf", b"GGUF\x03\x00\x00\x00"), ("text.gguf", b"not a model at all")):
            with open(self.path(name), "wb") as out:
                out.write(content)
            self.refuse(FAILED, "generate", self.path(name), "--tokens", "1", says=name)
        folder = self.path("cut")
        shutil.copytree(fixture("llama3"), folder)
        os.truncate(os.path.join(folder, "model-00002-of-00003.safetensors"), 5000)
        self.refuse(FAILED, "generate", folder, "--tokens", "1", says="model-00002-of-00003.safetensors")


if __name__ == "__main__":
    main()
