"""fathom generate: tokens against the goldens, text, stops."""

import json
import signal
import subprocess
import time

from tool import CONTEXT_FULL, FAILED, INTERRUPTED, OK, TOOL, ToolTest, USAGE, fixture, golden, ids, main, run


class Generate(ToolTest):
    def test_greedy_tokens_are_the_goldens(self):
        for name in ("llama3", "deepseek-v3"):
            values = golden(name)
            prompt, expected = values["p1.input_ids"][1], values["p1.greedy"][1]
            out = json.loads(self.succeed("generate", fixture(name), "--tokens", ids(prompt), "--max-tokens", 32, "--ignore-eos",
                                          "--json", "--cache", "f32"))
            self.assertEqual(out["tokens"], list(expected), name)
            self.assertEqual(out["stop"], "max_tokens")
            self.assertIsNone(out["text"])
            self.assertEqual(out["timings"]["prompt_tokens"], len(prompt))
            self.assertEqual(out["timings"]["generated_tokens"], 32)
            for rate in ("load_ms", "prompt_tokens_per_s", "generated_tokens_per_s"):
                self.assertGreater(out["timings"][rate], 0)

    def test_ids_are_printed_where_there_is_no_text(self):
        values = golden("llama3")
        out = self.succeed("generate", fixture("llama3"), "--tokens", ids(values["p1.input_ids"][1]), "--max-tokens", 4,
                           "--ignore-eos")
        self.assertEqual(out.decode(), ids(values["p1.greedy"][1][:4]) + "\n")

    def test_a_text_prompt_is_its_tokens_with_the_begin_token(self):
        model = self.text_model()
        by_text = json.loads(self.succeed("generate", model, "--prompt", "Hi", "--max-tokens", 16, "--ignore-eos", "--json"))
        by_ids = json.loads(self.succeed("generate", model, "--tokens", "0,74,107", "--max-tokens", 16, "--ignore-eos", "--json"))
        self.assertEqual(by_text["timings"]["prompt_tokens"], 3)
        self.assertEqual(by_text["tokens"], by_ids["tokens"])
        self.assertIsInstance(by_text["text"], str)

    def test_special_tokens_in_a_prompt_count_only_when_asked(self):
        model = self.text_model()
        for flags, expected in (((), 1 + len("<|im_end|>")), (("--special",), 2)):
            out = json.loads(self.succeed("generate", model, "--prompt", "<|im_end|>", "--max-tokens", 1, "--json", *flags))
            self.assertEqual(out["timings"]["prompt_tokens"], expected)

    def test_the_text_streams_to_stdout_and_stats_to_stderr(self):
        model = self.text_model()
        asked = ("generate", model, "--chat", "--prompt", "Hi", "--max-tokens", 24, "--ignore-eos", "--temperature", 2, "--seed", 7)
        text = json.loads(self.succeed(*asked, "--json"))["text"]
        done = run(*asked, "--stats")
        self.assertEqual(done.returncode, OK)
        self.assertEqual(done.stdout.decode(), text + "\n")
        self.assertRegex(done.stderr.decode(), r"generation +\d+ tokens +[\d.]+ tokens/s")

    def test_the_same_seed_gives_the_same_tokens(self):
        asked = ("generate", fixture("llama3"), "--tokens", "1,2,3", "--max-tokens", 12, "--ignore-eos", "--json", "--temperature", 3)
        first, second, other = (json.loads(self.succeed(*asked, "--seed", seed))["tokens"] for seed in (1, 1, 2))
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)

    def test_bad_prompts_fail(self):
        model = fixture("llama3")
        self.refuse(FAILED, "generate", model, "--tokens", "", says="empty")
        self.refuse(FAILED, "generate", model, "--tokens", "384", says="384")
        self.refuse(FAILED, "generate", model, "--tokens=-1", says="-1")
        self.refuse(FAILED, "generate", model, "--tokens", "1,2,3,4,5", "--context", 4)
        self.refuse(FAILED, "generate", model, "--tokens", ids([1] * 1025), says="1024")
        self.refuse(FAILED, "generate", model, "--prompt", "text", says="tokenizer")

    def test_what_does_not_end_by_itself_ends_after_512_tokens(self):
        out = json.loads(self.succeed("generate", fixture("llama3"), "--tokens", "1,2,3", "--ignore-eos", "--json"))
        self.assertEqual((len(out["tokens"]), out["stop"]), (512, "max_tokens"))

    def test_the_context_ends_generation(self):
        done = run("generate", fixture("llama3"), "--tokens", "1,2,3", "--context", 8, "--max-tokens", 100, "--ignore-eos", "--json")
        out = json.loads(done.stdout)
        self.assertEqual((done.returncode, out["stop"]), (CONTEXT_FULL, "context_full"))
        self.assertIn(len(out["tokens"]), (5, 6))  # the last one needs no room of its own
        self.assertRegex(done.stderr, rb"\Afathom: the context of 8 tokens is full .*--context.*\n\Z")

    def test_the_models_own_context_ends_generation_too(self):
        done = run("generate", fixture("llama3"), "--tokens", ids([1] * 1000), "--max-tokens", 9223372036854775, "--ignore-eos")
        self.assertEqual(done.returncode, USAGE, "more than any text has")
        done = run("generate", fixture("llama3"), "--tokens", ids([1] * 1000), "--max-tokens", 2147483647, "--ignore-eos")
        self.assertEqual(done.returncode, CONTEXT_FULL)
        self.assertGreater(len(done.stdout.split(b",")), 20)
        self.assertRegex(done.stderr, rb"\Afathom: the context of 1024 tokens is full .*no larger one\n\Z")

    def test_what_fits_exactly_says_nothing(self):
        done = run("generate", fixture("llama3"), "--tokens", "1,2,3", "--context", 8, "--max-tokens", 5, "--ignore-eos")
        self.assertEqual((done.returncode, done.stderr), (OK, b""))

    def test_a_stop_string_ends_the_text_before_it(self):
        asked = ("generate", self.text_model(), "--prompt", "Hi", "--max-tokens", 40, "--ignore-eos", "--json", "--temperature", 2,
                 "--seed", 3)
        text = json.loads(self.succeed(*asked))["text"]
        stop = next(character for character in text[3:] if character.isascii() and character.isprintable())
        out = json.loads(self.succeed(*asked, "--stop", "never in it", "--stop", stop))
        self.assertEqual(out["stop"], "stop_string")
        self.assertEqual(out["text"], text[: text.index(stop)])

    def test_interrupt_prints_what_there_is(self):
        with open(self.path("out"), "wb") as out:
            # far longer than the wait; the budget of the fixture is its context
            process = subprocess.Popen([TOOL, "generate", fixture("deepseek-v3"), "--tokens", "1,2,3", "--max-tokens", "2400",
                                        "--ignore-eos", "--json", "--isa", "scalar", "--threads", "1"], stdout=out, stderr=subprocess.PIPE)
            time.sleep(0.7)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        with open(self.path("out"), "rb") as out:
            result = json.load(out)
        if result["stop"] == "cancelled":
            self.assertEqual(process.returncode, INTERRUPTED)
            self.assertEqual(len(result["tokens"]), result["timings"]["generated_tokens"])
        else:  # a machine that is done by then
            self.assertEqual(process.returncode, OK)


if __name__ == "__main__":
    main()
