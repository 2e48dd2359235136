"""fathom logits: NumPy files against the goldens."""

import os

from tool import FAILED, ToolTest, fixture, golden, ids, main, read_npy


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

    def test_a_text_is_its_tokens(self):
        model, tokens, text = self.text_model(), self.path("tokens.npy"), self.path("text.npy")
        self.succeed("logits", model, "--tokens", "0,74,107", "--all", "--output", tokens)
        self.succeed("logits", model, "--prompt", "Hi", "--all", "--output", text)
        self.assertEqual(read_npy(text), read_npy(tokens))

    def test_failures_leave_no_file(self):
        path = self.path("x.npy")
        self.refuse(FAILED, "logits", fixture("llama3"), "--tokens", "384", "--output", path)
        self.refuse(FAILED, "logits", fixture("llama3"), "--tokens-file", self.path("none"), "--output", path, says="none")
        self.assertFalse(os.path.exists(path))
        self.refuse(FAILED, "logits", fixture("llama3"), "--tokens", "1", "--output", self.path("no/such/folder.npy"), says="no/such")


if __name__ == "__main__":
    main()
