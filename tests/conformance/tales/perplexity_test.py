"""`fathom perplexity` on held-out tales against the framework's, for the shipped FP8 folder and for Q8_0 and Q4_K made from it.

perplexity_test.py FATHOM WRITE_GGUF MODEL_FOLDER
"""

import json
import math
import os
import subprocess
import sys
import tempfile

tool, write_gguf, model = sys.argv[1:4]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "held_out.json"), encoding="utf-8") as file:
    held_out = json.load(file)


def output(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text.encode(), check=True, stdout=subprocess.PIPE).stdout.decode()


def perplexity(checkpoint: str, flag: str, texts: list) -> float:
    """Of texts that each stand alone. Their tokens are as many as the framework counted."""
    total, tokens = 0.0, 0
    for text in texts:
        told = json.loads(output(tool, "perplexity", checkpoint, flag, "-", "--cache", "f32", "--json", text=text))
        total += told["nll"] * told["tokens"]
        tokens += told["tokens"]
    assert tokens == held_out["tokens"], f"{tokens} tokens, the framework had {held_out['tokens']}"
    return math.exp(total / tokens)


reference = held_out["perplexity"]
found = {"FP8": perplexity(model, "--file", held_out["tales"])}
ids = [",".join(map(str, json.loads(output(tool, "tokenize", model, "--bos", text=text)))) for text in held_out["tales"]]
with tempfile.TemporaryDirectory() as folder:
    for name in ("Q8_0", "Q4_K"):
        path = os.path.join(folder, name + ".gguf")
        output(write_gguf, model, name.lower(), path)
        found[name] = perplexity(path, "--tokens-file", ids)
print(json.dumps({"framework": reference, **found}))
for name, most in (("FP8", 0.005), ("Q8_0", 0.005), ("Q4_K", 0.2)):
    apart = abs(found[name] / reference - 1)
    assert apart < most, f"{name}: {found[name]:.5f}, the framework {reference:.5f}, {apart:.2%} apart"
