"""fathom tokenize: against the goldens of tokenizers, and bytes as they are."""

import json
import os

from tool import DATA, FAILED, ToolTest, fixture, main, run


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
        self.assertEqual(json.loads(self.succeed("tokenize", folder, "--special", "--bos", text=b"<s>a")), [0, 99])
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


if __name__ == "__main__":
    main()
