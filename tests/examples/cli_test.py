"""The fathom tool as its users see it: exit codes, what it prints where, and numbers against the fixtures' goldens.

cli_test.py TOOL DATA     TOOL: build/bin/fathom; DATA: tests/conformance/data
"""

import array
import ast
import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import text_model

TOOL, DATA = sys.argv[1:3]
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


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


class Usage(ToolTest):
    def test_help_goes_to_stdout_and_has_examples(self):
        self.assertIn(b"generate", self.succeed("--help"))
        for command in ("generate", "chat", "inspect", "tokenize", "logits", "perplexity", "routes", "bench"):
            self.assertIn(b"Examples:\n  ", self.succeed(command, "--help"))
        self.assertEqual(self.succeed("--version"), b"fathom 1.0.0\n")

    def test_wrong_usage_is_2(self):
        model = fixture("llama3")
        self.refuse(USAGE)
        self.refuse(USAGE, "no-such-command")
        self.refuse(USAGE, "generate")
        self.refuse(USAGE, "generate", model)
        self.refuse(USAGE, "generate", model, "--tokens", "1", "--prompt", "a", says="--prompt or --tokens")
        self.refuse(USAGE, "generate", model, "--tokens", "1,two", says="'two'")
        self.refuse(USAGE, "generate", model, "--tokens", "99999999999", says="99999999999")
        self.refuse(USAGE, "generate", model, "--tokens", "1", "--no-such-flag")
        self.refuse(USAGE, "generate", model, "--tokens", "1", "--chat")
        for flag, value in (("--threads", -1), ("--threads", "two"), ("--temperature", -1), ("--top-p", 2), ("--top-k", -1),
                            ("--max-tokens", -1), ("--context", 0), ("--isa", "mmx"), ("--cache", "q4"), ("--repeat-penalty", 0)):
            self.refuse(USAGE, "generate", model, "--tokens", "1", f"{flag}={value}", says=flag)
        self.refuse(USAGE, "logits", model, "--tokens", "1")
        self.refuse(USAGE, "logits", model, "--output", self.path("x.npy"))
        self.refuse(USAGE, "logits", model, "--tokens", "1", "--chunk", "0", "--output", self.path("x.npy"), says="--chunk")
        self.refuse(USAGE, "tokenize", model, "--decode", "--bos")

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
        out = json.loads(self.succeed("generate", fixture("llama3"), "--tokens", "1,2,3", "--context", 8, "--max-tokens", 100,
                                      "--ignore-eos", "--json"))
        self.assertEqual(out["stop"], "context_full")
        self.assertIn(len(out["tokens"]), (5, 6))  # the last one needs no room of its own

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


class Chat(ToolTest):
    def test_lines_are_turns(self):
        done = run("chat", self.text_model(), "--max-tokens", 8, "--temperature", 1, text=b"Hello\nAnd again\n/reset\nHello\n/quit\nnot read\n")
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

    def test_an_unknown_format_is_named_at_once(self):
        folder = self.text_model()
        with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as out:
            json.dump({"bos_token": "<s>", "chat_template": "{{ messages }}"}, out)
        self.refuse(FAILED, "chat", folder, text=b"Hi\n")
        self.refuse(FAILED, "chat", fixture("llama3"), text=b"Hi\n", says="tokenizer")


class Inspect(ToolTest):
    def test_json_describes_the_checkpoint(self):
        out = json.loads(self.succeed("inspect", fixture("deepseek-v3"), "--json", "--context", 100))
        self.assertEqual((out["family"], out["container"], out["runs"]), ("deepseek_v3", "huggingface", True))
        self.assertEqual(out["context_length"], 2560)
        self.assertEqual(out["weight_bytes"], sum(tensor["bytes"] for tensor in out["tensors"]))
        self.assertEqual(len(out["tensors"]), sum(total["count"] for total in out["formats"].values()))
        self.assertEqual(out["parameters"], sum(math.prod(tensor["shape"]) for tensor in out["tensors"]))
        # latent and rotary key, 32 + 16 values in each of 3 layers, at 2 or 4 bytes
        self.assertIn(out["cache_bytes_per_token"], (3 * 48 * 2, 3 * 48 * 4))
        self.assertEqual(out["memory"]["cache_bytes"], 100 * out["cache_bytes_per_token"])
        embedding = next(tensor for tensor in out["tensors"] if tensor["name"] == "model.embed_tokens.weight")
        self.assertEqual((embedding["shape"], embedding["bytes"] % (384 * 64)), ([384, 64], 0))
        self.assertTrue(out["configuration"])

    def test_the_table_is_for_people(self):
        out = self.succeed("inspect", fixture("llama3"), "--tensors").decode()
        self.assertRegex(out, r"runs here +yes")
        self.assertIn("model.embed_tokens.weight", out)

    def test_what_does_not_run_is_described_with_the_reason(self):
        folder = self.path("unknown")
        shutil.copytree(fixture("llama3"), folder)
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        config.update(model_type="mamba", architectures=["MambaForCausalLM"])
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        out = json.loads(self.succeed("inspect", folder, "--json"))
        self.assertFalse(out["runs"])
        self.assertIn("amba", out["reason"])
        self.assertTrue(out["tensors"])
        self.refuse(FAILED, "generate", folder, "--tokens", "1", says="amba")


class Tokenize(ToolTest):
    def cases(self, name, file):
        folder = os.path.join(DATA, "tokenizers", name)
        with open(os.path.join(folder, file), encoding="utf-8") as lines:
            return folder, json.load(lines)["cases"]

    def test_goldens_line_by_line(self):
        for name in ("tiny-spm", "tiny-coder"):
            folder, cases = self.cases(name, "strings.json")
            texts = "".join(json.dumps(case["text"]) + "\n" for case in cases).encode()
            out = self.succeed("tokenize", folder, "--jsonl", "--special", text=texts).decode().split("\n")[:-1]
            self.assertEqual([json.loads(line) for line in out], [case["ids"] for case in cases])

    def test_decoding_goldens(self):
        for name in ("tiny-spm", "tiny-coder"):
            for file in ("strings.json", "decode.json"):
                folder, cases = self.cases(name, file)
                lines = "".join(json.dumps(case["ids"]) + "\n" for case in cases).encode()
                for flags, key in (((), "decoded"), (("--skip-special",), "decoded_skip_special")):
                    out = self.succeed("tokenize", folder, "--decode", "--jsonl", *flags, text=lines).decode().split("\n")[:-1]
                    self.assertEqual([json.loads(line) for line in out], [case[key] for case in cases])

    def test_text_is_taken_exactly(self):
        folder = self.text_model()
        self.assertEqual(json.loads(self.succeed("tokenize", folder, text=b"a\n")), [99, 12])
        self.assertEqual(json.loads(self.succeed("tokenize", folder, "--bos", text=b"a")), [0, 99])
        self.assertEqual(json.loads(self.succeed("tokenize", folder, text=b"")), [])
        self.assertEqual(json.loads(self.succeed("tokenize", folder, text=b"</s>")), [62, 49, 117, 64])
        self.assertEqual(json.loads(self.succeed("tokenize", folder, "--special", text=b"</s>")), [1])
        self.assertEqual(self.succeed("tokenize", folder, "--decode", text=b"[0, 99, 12, 1]"), b"<s>a\n</s>")
        self.assertEqual(self.succeed("tokenize", folder, "--decode", "--skip-special", text=b"[0, 99, 12, 1]"), b"a\n")

    def test_bad_input_is_named_by_line(self):
        folder = self.text_model()
        done = run("tokenize", folder, "--jsonl", text=b'"a"\n[1]\n')
        self.assertEqual((done.returncode, done.stdout), (FAILED, b"[99]\n"))
        self.assertIn(b"line 2", done.stderr)
        self.refuse(FAILED, "tokenize", folder, "--decode", text=b"[1, 999]", says="999")
        self.refuse(FAILED, "tokenize", folder, "--decode", text=b"[1, 2")
        self.refuse(FAILED, "tokenize", fixture("llama3"), text=b"a")


class Logits(ToolTest):
    def logits(self, name, *arguments):
        path = self.path("logits.npy")
        self.succeed("logits", fixture(name), "--output", path, *arguments)
        return read_npy(path)

    def assert_close(self, found, expected):
        self.assertLess(max(abs(a - b) for a, b in zip(found, expected, strict=True)), 1e-3)

    def test_all_positions_are_the_goldens(self):
        for name in ("llama3", "deepseek-v3", "mixtral"):
            values = golden(name)
            tokens = ids(values["p1.input_ids"][1])
            shape, expected = values["p1.logits"]
            for flags in ((), ("--chunk", 1), ("--chunk", 5), ("--threads", 1), ("--threads", 2)):
                found_shape, found = self.logits(name, "--tokens", tokens, "--all", "--cache", "f32", *flags)
                self.assertEqual(found_shape, shape)
                self.assert_close(found, expected)

    def test_the_last_row_alone(self):
        values = golden("llama3")
        shape, expected = values["p1.logits"]
        with open(self.path("ids"), "w", encoding="ascii") as out:
            out.write("\n".join(map(str, values["p1.input_ids"][1])) + "\n")
        found_shape, found = self.logits("llama3", "--tokens-file", self.path("ids"), "--cache", "f32")
        self.assertEqual(found_shape, [1, shape[1]])
        self.assert_close(found, expected[-shape[1]:])

    def test_failures_leave_no_file(self):
        path = self.path("x.npy")
        self.refuse(FAILED, "logits", fixture("llama3"), "--tokens", "384", "--output", path)
        self.refuse(FAILED, "logits", fixture("llama3"), "--tokens-file", self.path("none"), "--output", path, says="none")
        self.assertFalse(os.path.exists(path))
        self.refuse(FAILED, "logits", fixture("llama3"), "--tokens", "1", "--output", self.path("no/such/folder.npy"), says="no/such")


class Perplexity(ToolTest):
    def test_it_is_that_of_the_logits(self):
        model, text = self.text_model(), "A short text, for which every byte is a token."
        with open(self.path("text"), "w", encoding="ascii") as out:
            out.write(text)
        tokens = [0, *(2 + byte for byte in text.encode())]
        path = self.path("logits.npy")
        self.succeed("logits", model, "--tokens", ids(tokens), "--all", "--output", path)
        (rows, vocabulary), values = read_npy(path)
        nll = 0
        for row in range(rows - 1):
            logits = values[row * vocabulary:(row + 1) * vocabulary]
            largest = max(logits)
            nll += math.log(sum(math.exp(value - largest) for value in logits)) + largest - logits[tokens[row + 1]]
        out = json.loads(self.succeed("perplexity", model, "--file", self.path("text"), "--json"))
        self.assertEqual(out["tokens"], len(tokens) - 1)
        self.assertAlmostEqual(out["nll"], nll / (len(tokens) - 1), places=4)
        self.assertAlmostEqual(out["perplexity"], math.exp(out["nll"]), places=6)

    def test_windows_count_each_token_once(self):
        text = b"b" * 39  # 40 tokens with the begin token
        model = self.text_model()
        for context, stride, counted in ((16, 8, 39), (16, 16, 37), (100, 50, 39), (16, 1, 39), (2, 1, 39)):
            out = json.loads(self.succeed("perplexity", model, "--file", "-", "--context", context, "--stride", stride, "--json",
                                          text=text))
            self.assertEqual(out["tokens"], counted, (context, stride))
        self.assertIn(b"perplexity ", self.succeed("perplexity", model, "--file", "-", text=text))

    def test_token_ids_stand_for_their_text_and_need_no_tokenizer(self):
        text = b"One text, told twice."
        tokens = ids([0, *(2 + byte for byte in text)])
        by_text, by_ids = (json.loads(self.succeed("perplexity", model, flag, "-", "--json", text=content))
                           for model, flag, content in ((self.text_model(), "--file", text),
                                                        (fixture("llama3"), "--tokens-file", tokens.encode())))
        self.assertEqual(by_text, by_ids)
        self.refuse(FAILED, "perplexity", fixture("llama3"), "--tokens-file", "-", text=b"7", says="too short")
        self.refuse(FAILED, "perplexity", fixture("llama3"), "--tokens-file", "-", text=b"7,x", says="'x'")
        self.refuse(USAGE, "perplexity", fixture("llama3"), "--tokens-file", "-", "--file", "-", text=b"7", says="--tokens-file")
        self.refuse(USAGE, "perplexity", fixture("llama3"), says="--tokens-file")

    def test_bad_input_fails(self):
        model = self.text_model()
        self.refuse(FAILED, "perplexity", model, "--file", self.path("none"), says="none")
        self.refuse(FAILED, "perplexity", model, "--file", "-", text=b"", says="too short")
        self.refuse(USAGE, "perplexity", model, "--file", "-", "--context", 8, "--stride", 9, text=b"abc", says="--stride")


class Routes(ToolTest):
    def test_routes_are_the_goldens(self):
        for name, cache in (("deepseek-v3", "f32"), ("mixtral", "f32")):
            values = golden(name)
            tokens = values["p1.input_ids"][1]
            path = self.path("routes.json")
            self.succeed("routes", fixture(name), "--tokens", ids(tokens), "--output", path, "--cache", cache)
            with open(path, encoding="utf-8") as file:
                out = json.load(file)
            layers = sorted(int(tensor.split(".")[2]) for tensor in values if tensor.startswith("p1.router.") and tensor.endswith(".ids"))
            self.assertEqual(out["layers"], layers)
            self.assertEqual([token["token"] for token in out["tokens"]], list(tokens))
            for position, token in enumerate(out["tokens"]):
                self.assertEqual(token["position"], position)
                self.assertEqual([route["layer"] for route in token["routes"]], layers)
                for route in token["routes"]:
                    (_, chosen), (shape, expected) = (values[f"p1.router.{route['layer']:02}.{what}"] for what in ("ids", "weights"))
                    row = slice(position * shape[1], (position + 1) * shape[1])
                    self.assertEqual(route["experts"], list(chosen[row]))
                    for weight, golden_weight in zip(route["weights"], expected[row], strict=True):
                        self.assertAlmostEqual(weight, golden_weight, delta=1e-4)

    def test_each_layers_use_is_that_of_its_tokens_and_the_extremes_are_named(self):
        for name, experts in (("deepseek-v3", 16), ("mixtral", 6)):
            tokens = ids(golden(name)["p1.input_ids"][1])
            path = self.path("routes.json")
            told = self.succeed("routes", fixture(name), "--tokens", tokens, "--output", path).decode().splitlines()
            with open(path, encoding="utf-8") as file:
                out = json.load(file)
            self.assertEqual([use["layer"] for use in out["use"]], out["layers"])
            self.assertEqual(len(told), len(out["layers"]))
            for line, use in zip(told, out["use"]):
                chosen = [expert for token in out["tokens"] for route in token["routes"] if route["layer"] == use["layer"]
                          for expert in route["experts"]]
                choices = [chosen.count(expert) for expert in range(experts)]
                self.assertEqual(use["choices"], choices, name)
                self.assertEqual(choices[use["most_used"]], max(choices))
                self.assertEqual(choices[use["least_used"]], min(choices))
                self.assertGreater(max(choices), min(choices), "else the extremes would prove nothing")
                words = line.replace(",", "").replace("(", "").split()
                self.assertEqual((words[:2], words[words.index("most") + 3], words[words.index("least") + 3]),
                                 (["layer", str(use["layer"])], str(use["most_used"]), str(use["least_used"])))
                for word, count in (("most", max(choices)), ("least", min(choices))):
                    self.assertAlmostEqual(float(words[words.index(word) + 4]), 100 * count / len(chosen), delta=0.006)
                self.assertIn(f"even share {100 / experts:5.2f} %", line)

    def test_on_standard_output_there_is_json_alone(self):
        out = json.loads(self.succeed("routes", fixture("mixtral"), "--tokens", "1,2"))
        self.assertEqual(len(out["use"]), len(out["layers"]))

    def test_a_dense_model_has_none(self):
        self.refuse(FAILED, "routes", fixture("llama3"), "--tokens", "1", says="no experts")

    def test_standard_output_is_the_default(self):
        self.assertEqual(len(json.loads(self.succeed("routes", fixture("mixtral"), "--tokens", "1,2"))["tokens"]), 2)


class Bench(ToolTest):
    def bench(self, name, *flags):
        return json.loads(self.succeed("bench", fixture(name), "--json", *flags))

    def test_every_combination_is_run_and_its_numbers_agree(self):
        out = self.bench("deepseek-v3", "-p", "16,8", "-n", 4, "-d", "0,20", "-t", "2,1", "-b", "1,3", "-r", 3, "--ceiling-mb", 0)
        runs = [(run["kind"], run["threads"], run["tokens"], run["depth"], run["sessions"]) for run in out["runs"]]
        expected = []
        for threads in (1, 2):
            expected += [("prompt", threads, tokens, 0, 1) for tokens in (8, 16)]
            expected += [("generation", threads, 4, depth, sessions) for sessions in (1, 3) for depth in (0, 20)]
        self.assertEqual(runs, expected)
        model = out["model"]
        for run in out["runs"]:
            rates, each = run["tokens_per_s"], sorted(run["repetitions"])
            self.assertEqual(len(each), 3)
            self.assertEqual((rates["min"], rates["max"]), (each[0], each[-1]))
            self.assertAlmostEqual(rates["median"], each[1], delta=1e-6 * each[1])
            # the parts are all of the time, summed over the repetitions
            us = run["us_per_token"]
            self.assertEqual(list(us), ["attention", "router", "experts", "mlp", "head", "other", "outside"])
            self.assertGreater(min(us[part] for part in ("attention", "router", "experts", "mlp", "head", "other")), 0)
            mean_us = sum(1e6 / rate for rate in each) / 3
            self.assertAlmostEqual(sum(us.values()), mean_us, delta=1e-3 * mean_us)
            heads = run["tokens"] * run["sessions"] if run["kind"] == "generation" else 1
            tokens = run["tokens"] * run["sessions"]
            products = model["multiply_adds_per_token"] + model["head_multiply_adds"] * heads / tokens
            self.assertAlmostEqual(run["gop_per_s"], 2e-9 * products * rates["median"], delta=1e-6 * run["gop_per_s"])
            self.assertIsNone(run["share_of_dot_products"])
            self.assertEqual("gb_per_s" in run, run["kind"] == "generation")
        self.assertGreater(out["load_ms"], 0)
        self.assertGreaterEqual(out["peak_resident_bytes"], out["resident_bytes"])
        self.assertEqual(out["ceilings"], [])

    def test_the_bytes_of_a_token_are_those_of_the_tensors_it_reads(self):
        for name, experts, used in (("deepseek-v3", 16, 4), ("mixtral", 6, 2), ("llama3", 0, 0)):
            tensors = json.loads(self.succeed("inspect", fixture(name), "--json"))
            out = self.bench(name, "-p", 4, "-n", 2, "-d", 6, "-t", 1, "-r", 1, "--ceiling-mb", 0)
            shared = routed = 0
            for tensor in tensors["tensors"]:
                if len(tensor["shape"]) != 2 or "embed_tokens" in tensor["name"]:
                    continue
                if ".experts." in tensor["name"]:
                    routed += tensor["bytes"]
                else:
                    shared += tensor["bytes"]
            embedding = next(tensor for tensor in tensors["tensors"] if tensor["name"] == "model.embed_tokens.weight")
            row = embedding["bytes"] // embedding["shape"][0]
            model = out["model"]
            self.assertEqual(model["expert_bytes_per_token"], routed * used // max(experts, 1), name)
            self.assertEqual(model["bytes_per_token"], shared + routed * used // max(experts, 1) + row, name)
            generation = out["runs"][1]
            self.assertEqual(generation["weight_bytes_per_token"], model["bytes_per_token"])
            self.assertEqual(generation["cache_bytes_per_token"], 7.5 * model["cache_bytes_per_position"])  # 7 rows, then 8

    def test_sessions_together_read_shared_weights_once_and_some_experts_twice(self):
        out = self.bench("deepseek-v3", "-p", 0, "-n", 6, "-t", 1, "-b", "1,4", "-d", 0, "-r", 1, "--ceiling-mb", 0)
        alone, together = (run["weight_bytes_per_token"] * run["sessions"] for run in out["runs"])
        experts = out["model"]["expert_bytes_per_token"]
        self.assertGreater(together, alone + 0.5 * experts)
        out = self.bench("deepseek-v3", "-p", 0, "-n", 6, "-t", 1, "-b", "1,4", "-d", 0, "-r", 1, "--ceiling-mb", 0, "--same-text")
        alone, together = (run["weight_bytes_per_token"] * run["sessions"] for run in out["runs"])
        row = alone - out["model"]["bytes_per_token"]
        self.assertAlmostEqual(together, alone, delta=abs(row) + 0.05 * experts, msg="the same texts choose the same experts")
        self.assertLess(together, alone + 3 * experts)

    def test_ceilings_are_measured_where_the_cpu_is_known(self):
        out = self.bench("llama3", "-p", 8, "-n", 0, "-t", "1,2", "-r", 1, "--ceiling-mb", 64)
        self.assertEqual([ceiling["threads"] for ceiling in out["ceilings"]], [1, 2])
        for ceiling in out["ceilings"]:
            self.assertGreater(ceiling["read_gb_per_s"]["median"], 0.05)
            self.assertLess(ceiling["read_gb_per_s"]["best"], 10000)
            for kind in ("int8", "bf16", "f32"):
                rate = ceiling[kind + "_gop_per_s"]
                self.assertEqual(rate is None, out["instructions"][kind] == "")
                if rate:
                    self.assertGreater(rate["best"], 1)
                    self.assertLessEqual(rate["median"], rate["best"])
        share = out["runs"][0]["share_of_dot_products"]
        rate = out["ceilings"][0][out["dot_products"] + "_gop_per_s"]
        if rate:
            self.assertAlmostEqual(share, out["runs"][0]["gop_per_s"] / rate["best"], places=6)
        else:
            self.assertIsNone(share)

    def test_the_table_is_for_people(self):
        out = self.succeed("bench", fixture("mixtral"), "-p", 8, "-n", 2, "-d", 4, "-b", 2, "-t", 1, "-r", 2, "--ceiling-mb", 0).decode()
        self.assertRegex(out, r"\nprompt 8 +1 +[\d.]+ ")
        self.assertRegex(out, r"\ngenerate 2 at 4 by 2 +1 +[\d.]+ ")
        self.assertRegex(out, r"not measured")
        self.assertRegex(out, r"\nmemory +\d+ MB")

    def test_what_does_not_fit_is_refused_and_the_defaults_shrink(self):
        self.refuse(FAILED, "bench", fixture("llama3"), "-p", 2000, "-n", 0, "--ceiling-mb", 0, says="1024")
        self.refuse(FAILED, "bench", fixture("llama3"), "-p", 0, "-n", 5, "-d", 1020, "--ceiling-mb", 0, says="1025")
        self.refuse(USAGE, "bench", fixture("llama3"), "-p", 0, "-n", 0, says="nothing to measure")
        self.refuse(USAGE, "bench", fixture("llama3"), "-t", 0, says="-t")
        out = self.bench("llama3", "-n", 2, "-t", 1, "-r", 1, "--ceiling-mb", 0)  # a context of 1024
        self.assertEqual([(run["kind"], run["tokens"], run["depth"]) for run in out["runs"]],
                         [("prompt", 128, 0), ("prompt", 512, 0), ("generation", 2, 0)])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
