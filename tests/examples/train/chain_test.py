"""The whole chain at tiny size, where PyTorch and tokenizers are installed: tales, tokenizer, a few steps of training that resume, export
in FP8, and fathom's logits and perplexity against PyTorch's.

chain_test.py TRAIN_FOLDER FATHOM
"""

import json
import os
import subprocess
import sys
import tempfile

recipe, tool = (os.path.abspath(path) for path in sys.argv[1:3])
# 48 and 40 are no multiples of a block; 3 groups of 2 experts
CONFIG = dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=2, q_lora_rank=40, kv_lora_rank=24, intermediate_size=136,
              moe_intermediate_size=40, n_routed_experts=6, num_experts_per_tok=2, n_group=3, topk_group=2, vocab_size=640, yarn_original=64)


def step(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=recipe, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1"))
    assert done.returncode == 0, f"{arguments}: {done.stdout.decode()}"
    return done.stdout.decode()


with tempfile.TemporaryDirectory() as folder:
    corpus, run, out = (os.path.join(folder, name) for name in ("tales.jsonl", "run", "model"))
    step("data.py", "tales", corpus, "--count", "300")
    step("data.py", "tokenizer", corpus, "--out", run + "/tokenizer", "--size", "600")
    step("data.py", "pack", corpus, "--tokenizer", run + "/tokenizer", "--out", run + "/data", "--longest", "1000")
    options = ["train.py", run, "--batch-tokens", "512", "--threads", "1", "--log-every", "1", "--warmup", "2", "--learning-rate", "5e-3",
               "--ahead-every", "2"]
    step(*options, "--config", json.dumps(CONFIG), "--steps", "6")
    step(*options, "--steps", "12")
    with open(run + "/log.jsonl", encoding="utf-8") as log:
        lines = [json.loads(line) for line in log]
    assert [line["step"] for line in lines] == list(range(1, 13)), "the second run goes on where the first ended"
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5, f"nothing was learned: {lines[0]['loss']} to {lines[-1]['loss']}"
    step("train.py", run, "--measure", "--most-texts", "3", "--threads", "1")
    with open(run + "/measured.json", encoding="utf-8") as file:
        measured = json.load(file)
    assert set(measured["load"]["with_bias"]) == {"1", "2", "3"}, "two mixtures and the prediction module's"
    step("export.py", run, out)
    print(step("compare.py", run, out, "--fathom", tool, "--texts", "3", "--fixture", folder + "/fixture"))
    assert {"golden.safetensors", "held_out.json"} <= set(os.listdir(folder + "/fixture"))
    request = subprocess.run([tool, "generate", out, "--chat", "--prompt", "Tell me a story.", "--max-tokens", "8"], check=True,
                             stdout=subprocess.PIPE)
    assert request.stdout, "the chat template is one of fathom's formats"
