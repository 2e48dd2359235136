"""Holds fathom against PyTorch on an exported folder: same stored weights, float32 arithmetic in both.

    python3 compare.py RUN FOLDER --fathom build/bin/fathom [--fixture tests/conformance/tales] [--texts 40]

Logits of every position of the three shortest held-out tales (at most 1e-3 of the largest logit apart), and the perplexity of the first
`--texts` held-out tales, each alone (within 0.5 %). Exits with 1 when they differ by more. `--fixture` keeps what PyTorch said in a folder:

    golden.safetensors   the three tales' ids and logits, `pN.input_ids` [T] and `pN.logits` [T, V], in the form of the conformance
                         fixtures; `greedy` is empty. And of all tales `held_out.ids`, one after the other, and `held_out.ends` [tales],
                         where each ends
    held_out.json        PyTorch's "perplexity" over "tokens" predicted tokens of the "tales", each alone behind a begin token
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import storage
from export import read_back
from model import Config


def shortest_first(encoded: list, least: int = 101) -> list:
    """Indices of texts by length in tokens; those shorter than `least` come last."""
    return sorted(range(len(encoded)), key=lambda i: (len(encoded[i]) < least, len(encoded[i]), i))


def fathom_logits(tool: str, folder: str, ids: list) -> numpy.ndarray:
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "logits.npy")
        subprocess.run([tool, "logits", folder, "--tokens", ",".join(map(str, ids)), "--all", "--cache", "f32", "--output", out], check=True)
        return numpy.load(out)


def fathom_perplexity(tool: str, folder: str, text: str) -> dict:
    run = subprocess.run([tool, "perplexity", folder, "--cache", "f32", "--file", "-", "--json"], input=text.encode(), check=True,
                         stdout=subprocess.PIPE)
    return json.loads(run.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder")
    parser.add_argument("--fathom", required=True)
    parser.add_argument("--fixture", default="")
    parser.add_argument("--texts", type=int, default=40)
    given = parser.parse_args()

    with open(os.path.join(given.run, "config.json"), encoding="utf-8") as f:
        net = read_back(given.folder, Config(**json.load(f)))
    tokenizer = Tokenizer.from_file(os.path.join(given.folder, "tokenizer.json"))
    with open(os.path.join(given.run, "data", "held_out.json"), encoding="utf-8") as f:
        texts = json.load(f)
    encoded = [[0] + tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    with_logits = [encoded[tale] for tale in shortest_first(encoded)[:3]]
    texts, encoded = texts[:given.texts], encoded[:given.texts]

    good, fixture = True, {}
    with torch.no_grad():
        for i, ids in enumerate(with_logits):
            ours = net.logits(torch.tensor([ids]))[0].numpy()
            theirs = fathom_logits(given.fathom, given.folder, ids)
            apart, largest = float(numpy.abs(ours - theirs).max()), float(numpy.abs(ours).max())
            same = float((ours.argmax(-1) == theirs.argmax(-1)).mean())
            print(f"tale {i}: {len(ids)} tokens, logits at most {apart:.2e} apart, the largest is {largest:.2f}, "
                  f"same best token at {same:.1%}")
            good &= apart <= 1e-3 * largest
            best_two = numpy.sort(ours, -1)[:, -2:]
            nothing = numpy.zeros(0, numpy.float32)
            for field, kind, values in (("input_ids", "I32", numpy.array(ids, numpy.int32)), ("logits", "F32", ours),
                                        ("argmax", "I32", ours.argmax(-1).astype(numpy.int32)),
                                        ("argmax_margin", "F32", best_two[:, 1] - best_two[:, 0]),
                                        ("greedy", "I32", numpy.zeros(0, numpy.int32)), ("greedy_margin", "F32", nothing),
                                        ("greedy_logits_last", "F32", nothing)):
                fixture[f"p{i}.{field}"] = (kind, values)
        sums, counts = [0.0, 0.0], [0, 0]
        for text, ids in zip(texts, encoded):
            batch = torch.tensor([ids])
            sums[0] += float(F.cross_entropy(net.logits(batch)[0, :-1], batch[0, 1:], reduction="sum"))
            counts[0] += len(ids) - 1
            told = fathom_perplexity(given.fathom, given.folder, text)
            sums[1] += told["nll"] * told["tokens"]
            counts[1] += told["tokens"]
    ours, theirs = (math.exp(s / c) for s, c in zip(sums, counts))
    print(f"perplexity of {len(texts)} tales: PyTorch {ours:.5f} ({counts[0]} tokens), fathom {theirs:.5f} ({counts[1]} tokens), "
          f"{abs(theirs / ours - 1):.4%} apart")
    good &= counts[0] == counts[1] and abs(theirs / ours - 1) < 0.005
    if given.fixture:
        fixture["held_out.ids"] = ("I32", numpy.concatenate(encoded).astype(numpy.int32))
        fixture["held_out.ends"] = ("I32", numpy.cumsum([len(ids) for ids in encoded]).astype(numpy.int32))
        os.makedirs(given.fixture, exist_ok=True)
        storage.write_safetensors(os.path.join(given.fixture, "golden.safetensors"), fixture)
        with open(os.path.join(given.fixture, "held_out.json"), "w", encoding="utf-8") as out:
            json.dump({"perplexity": ours, "tokens": counts[0], "tales": texts}, out, indent=0)
            out.write("\n")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
