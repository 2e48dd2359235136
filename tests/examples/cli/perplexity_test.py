"""fathom perplexity: against the logits, and each token once."""

import json
import math

from tool import FAILED, ToolTest, USAGE, fixture, ids, main, read_npy


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


if __name__ == "__main__":
    main()
