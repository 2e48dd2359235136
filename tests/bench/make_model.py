#!/usr/bin/env python3
"""Writes a model with the shapes of a real one and random weights, to measure speed and memory with.

Quantised blocks are random bits under scales that give every matrix the deviation its place wants: activations stay
finite, routers spread tokens over all experts, and every code path sees the values it was made for. One chunk is in
memory at a time. Beside MODEL.gguf a MODEL.gguf.json says what a roofline needs: bytes in all, bytes read for a token.
A name that does not end in .gguf is a Hugging Face folder, with a sizes.json in it, in BF16, F16, F32 or fp8.

  make_model.py v2lite.gguf                                    DeepSeek-V2-Lite, 27 layers, Q4_K_M, 10.4 GB
  make_model.py v3.gguf --preset v3 --layers 4                 four layers as DeepSeek-V3 and R1 have them
  make_model.py llama.gguf --preset llama3-8b --quant q8_0
  make_model.py v3-fp8 --preset v3 --layers 4 --quant fp8      a folder, with 128 x 128 scales as DeepSeek-V3 is released
  make_model.py qwen --preset qwen3-30b-a3b --layers 12 --quant bf16

A quant is one format (used wherever a row is a multiple of its block, the output matrix at least q6_k) or q4_k_m, the
usual mix; fp8 is for folders. Needs numpy.
"""
import argparse
import json
import math
import os
import struct
import sys
import time
from collections import namedtuple

import numpy as np

import huggingface_folder

MLA = dict(arch="deepseek2", pre="deepseek-llm", kv_lora=512, rope=64, nope=128, v=128, theta=1e4, eps=1e-6, context=163840,
           yarn=40.0, yarn_context=4096, mscale=0.707, q_lora=0, groups=1, groups_used=1, gating=1, norm=False, bias=False)
GQA = dict(q_lora=0, dense=0, shared=0, experts=0, used=0, ff_exp=0, groups=1, groups_used=1)
PRESETS = {
    "tiny": dict(MLA, layers=4, hidden=512, heads=4, dense=1, ff=1024, experts=8, used=2, shared=1, ff_exp=512, vocab=1024,
                 context=4096, scale=1.0),
    "v2lite": dict(MLA, layers=27, hidden=2048, heads=16, dense=1, ff=10944, experts=64, used=6, shared=2, ff_exp=1408,
                   vocab=102400, scale=1.0),
    "v2": dict(MLA, layers=60, hidden=5120, heads=128, q_lora=1536, dense=1, ff=12288, experts=160, used=6, shared=2,
               ff_exp=1536, vocab=102400, scale=16.0, mscale=1.0, groups=8, groups_used=3),
    "v3": dict(MLA, layers=61, hidden=7168, heads=128, q_lora=1536, dense=3, ff=18432, experts=256, used=8, shared=1,
               ff_exp=2048, vocab=129280, scale=2.5, mscale=1.0, groups=8, groups_used=4, gating=2, norm=True, bias=True),
    "llama3-8b": dict(GQA, arch="llama", pre="llama-bpe", layers=32, hidden=4096, heads=32, kv_heads=8, head_dim=128,
                      ff=14336, vocab=128256, theta=5e5, eps=1e-5, context=8192),
    "qwen3-30b-a3b": dict(GQA, arch="qwen3moe", pre="qwen2", layers=48, hidden=2048, heads=32, kv_heads=4, head_dim=128,
                          ff=6144, experts=128, used=8, ff_exp=768, vocab=151936, theta=1e6, eps=1e-6, context=40960),
}

# ---------------------------------------------------------------------------------------------------- storage formats
Format = namedtuple("Format", "id values bytes file_type")
FORMATS = {
    "f32": Format(0, 1, 4, 0), "f16": Format(1, 1, 2, 1), "bf16": Format(30, 1, 2, 32), "q4_0": Format(2, 32, 18, 2),
    "q4_1": Format(3, 32, 20, 3), "q5_0": Format(6, 32, 22, 8), "q5_1": Format(7, 32, 24, 9), "q8_0": Format(8, 32, 34, 7),
    "q2_k": Format(10, 256, 84, 10), "q3_k": Format(11, 256, 110, 12), "q4_k": Format(12, 256, 144, 14),
    "q5_k": Format(13, 256, 176, 16), "q6_k": Format(14, 256, 210, 18), "iq4_nl": Format(20, 32, 18, 25),
    "iq4_xs": Format(23, 256, 136, 30), "mxfp4": Format(39, 32, 17, 38),
}
# For rows that are no multiple of 256.
NARROW = {"q2_k": "q4_0", "q3_k": "q4_0", "q4_k": "q5_0", "q5_k": "q8_0", "q6_k": "q8_0", "iq4_xs": "iq4_nl"}
IQ4_RMS = math.sqrt(np.mean(np.square([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113.0])))
SIGNED6_RMS = 18.48  # of the integers -32 to 31


def half(x):
    return np.asarray(x, dtype="<f2").view(np.uint8).reshape(-1, 2)


class Weights:
    """A source of random weights. The deviation that random quants of a format have is divided out of its scale."""

    def __init__(self, seed):
        self.rng = np.random.Generator(np.random.SFC64(seed))
        self.normals = self.rng.standard_normal(1 << 23, dtype=np.float32)  # drawn once, read from random places

    def floats(self, name, count, deviation, mean=0.0):
        start = self.rng.integers(0, len(self.normals) - count + 1)
        x = self.normals[start:start + count] * np.float32(deviation) + np.float32(mean)
        if name == "bf16":
            u = x.view(np.uint32)
            return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype("<u2").tobytes()
        return x.astype("<f4" if name == "f32" else "<f2").tobytes()

    def blocks(self, name, count, deviation):
        f = FORMATS[name]
        if f.values == 1:
            return self.floats(name, count, deviation)
        n = count // f.values
        b = np.frombuffer(self.rng.bytes(n * f.bytes), dtype=np.uint8).reshape(n, f.bytes).copy()
        scale = (0.75 + 0.5 * self.rng.random(n, dtype=np.float32)) * deviation  # blocks differ, as in life
        getattr(self, "set_" + name)(b, scale)
        return b.tobytes()

    # Each sets the scales of blocks whose quants are random. Comments give the value of a quant q.
    def set_q4_0(self, b, s): b[:, 0:2] = half(s / 4.64)  # d (q - 8)
    def set_q5_0(self, b, s): b[:, 0:2] = half(s / 9.25)  # d (q - 16)
    def set_q8_0(self, b, s): b[:, 0:2] = half(s / 73.9)  # d q
    def set_iq4_nl(self, b, s): b[:, 0:2] = half(s / IQ4_RMS)  # d K[q]
    def set_iq4_xs(self, b, s): b[:, 0:2] = half(s / (IQ4_RMS * SIGNED6_RMS))  # d (scale - 32) K[q]
    def set_q3_k(self, b, s): b[:, 108:110] = half(s / (2.345 * SIGNED6_RMS))  # d (scale - 32) (q - 4)
    def set_mxfp4(self, b, s): b[:, 0] = np.clip(np.round(np.log2(s / 2.926)) + 127, 1, 254)  # 2^(e - 127) e2m1(q)

    def set_q4_1(self, b, s):  # d q + m
        b[:, 0:2], b[:, 2:4] = half(s / 4.61), half(s / 4.61 * -7.5)

    def set_q5_1(self, b, s):
        b[:, 0:2], b[:, 2:4] = half(s / 9.23), half(s / 9.23 * -15.5)

    def set_q2_k(self, b, s):  # d scale q - dmin minimum; scale and minimum are the same number of 6 to 15
        b[:, 0:16] = self.rng.integers(6, 16, size=(len(b), 16), dtype=np.uint8) * np.uint8(17)
        d = s / (1.118 * 10.89)
        b[:, 80:82], b[:, 82:84] = half(d), half(d * 1.5)

    def set_q4_k(self, b, s, middle=7.5, rms=4.61):  # d scale q - dmin minimum; scale = minimum, dmin = d times the middle
        d = s / (rms * 45.5)
        b[:, 0:2], b[:, 2:4] = half(d), half(d * middle)
        scales = self.rng.integers(24, 64, size=(len(b), 8), dtype=np.uint8)
        low, high = scales[:, :4], scales[:, 4:]
        b[:, 4:8] = b[:, 8:12] = low | ((high >> 4) << 6)
        b[:, 12:16] = (high & 15) * np.uint8(17)

    def set_q5_k(self, b, s): self.set_q4_k(b, s, middle=15.5, rms=9.23)

    def set_q6_k(self, b, s):  # d scale (q - 32), scales of 8 to 24 with either sign
        scales = self.rng.integers(8, 25, size=(len(b), 16), dtype=np.uint8)
        b[:, 192:208] = np.where(b[:, 192:208] & 1, (256 - scales.astype(np.int16)).astype(np.uint8), scales)
        b[:, 208:210] = half(s / (18.5 * 16.7))


# ---------------------------------------------------------------------------------------------------------- the models
# dims innermost first; deviation None: a norm; role: table (one row a token), shared (all of it a token), expert
Tensor = namedtuple("Tensor", "name dims deviation role layer", defaults=("shared", -1))


def mla(c, split, residual):
    hidden, heads, rank, qk = c["hidden"], c["heads"], c["kv_lora"], c["nope"] + c["rope"]
    if c["q_lora"]:
        yield "attn_q_a.weight", [hidden, c["q_lora"]], hidden ** -0.5
        yield "attn_q_a_norm.weight", [c["q_lora"]], None
        yield "attn_q_b.weight", [c["q_lora"], heads * qk], c["q_lora"] ** -0.5
    else:
        yield "attn_q.weight", [hidden, heads * qk], hidden ** -0.5
    yield "attn_kv_a_mqa.weight", [hidden, rank + c["rope"]], hidden ** -0.5
    yield "attn_kv_a_norm.weight", [rank], None
    if split:
        yield "attn_k_b.weight", [c["nope"], rank, heads], rank ** -0.5
        yield "attn_v_b.weight", [rank, c["v"], heads], rank ** -0.5
    else:
        yield "attn_kv_b.weight", [rank, heads * (c["nope"] + c["v"])], rank ** -0.5
    yield "attn_output.weight", [heads * c["v"], hidden], residual * (heads * c["v"]) ** -0.5


def gqa(c, residual):
    hidden, q, kv = c["hidden"], c["heads"] * c["head_dim"], c["kv_heads"] * c["head_dim"]
    yield "attn_q.weight", [hidden, q], hidden ** -0.5
    yield "attn_k.weight", [hidden, kv], hidden ** -0.5
    yield "attn_v.weight", [hidden, kv], hidden ** -0.5
    yield "attn_output.weight", [q, hidden], residual * q ** -0.5
    if c["arch"].startswith("qwen3"):
        yield "attn_q_norm.weight", [c["head_dim"]], None
        yield "attn_k_norm.weight", [c["head_dim"]], None


def mlp(c, suffix, width, residual, experts=()):
    hidden = c["hidden"]
    yield f"ffn_gate{suffix}.weight", [hidden, width, *experts], hidden ** -0.5
    yield f"ffn_up{suffix}.weight", [hidden, width, *experts], hidden ** -0.5
    yield f"ffn_down{suffix}.weight", [width, hidden, *experts], residual * width ** -0.5


def block(c, layer, split):
    residual = (2 * c["layers"]) ** -0.5  # what a branch adds to the residual stream shrinks with depth
    yield "attn_norm.weight", [c["hidden"]], None
    yield from mla(c, split, residual) if c["arch"] == "deepseek2" else gqa(c, residual)
    yield "ffn_norm.weight", [c["hidden"]], None
    if layer < c["dense"] or not c["experts"]:
        yield from mlp(c, "", c["ff"], residual)
        return
    yield "ffn_gate_inp.weight", [c["hidden"], c["experts"]], 1.5 * c["hidden"] ** -0.5
    if c.get("bias"):
        yield "exp_probs_b.bias", [c["experts"]], 0.01
    yield from mlp(c, "_exps", c["ff_exp"], residual, [c["experts"]])
    if c["shared"]:
        yield from mlp(c, "_shexp", c["ff_exp"] * c["shared"], residual)


def tensors(c, split):
    yield Tensor("token_embd.weight", [c["hidden"], c["vocab"]], 1.0, "table")
    yield Tensor("output_norm.weight", [c["hidden"]], None)
    yield Tensor("output.weight", [c["hidden"], c["vocab"]], 2 * c["hidden"] ** -0.5)
    for layer in range(c["layers"]):
        for name, dims, deviation in block(c, layer, split):
            yield Tensor(f"blk.{layer}.{name}", dims, deviation, "expert" if "_exps" in name else "shared", layer)


def format_of(quant, tensor, layers):
    """The format of one tensor, as the common tools choose it."""
    if len(tensor.dims) < 2 or "ffn_gate_inp" in tensor.name:
        return "f32"
    name = quant
    if quant == "q4_k_m":
        i, eighth = tensor.layer, layers // 8
        more_bits = i < eighth or i >= 7 * layers // 8 or (i - eighth) % 3 == 2
        favoured = any(part in tensor.name for part in ("ffn_down", "attn_kv_b", "attn_v."))
        name = "q6_k" if tensor.name == "output.weight" or (favoured and more_bits) else "q4_k"
    elif tensor.name == "output.weight" and FORMATS[quant].bytes / FORMATS[quant].values < 210 / 256:
        name = "q6_k"
    return NARROW[name] if tensor.dims[0] % FORMATS[name].values else name


# ------------------------------------------------------------------------------------------------------------ the file
def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def entry(key, value):
    """A metadata entry; its type follows the value's."""
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value[0], int):
        return text(key) + struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))


def vocabulary(size):
    """The 256 bytes under their printable stand-ins, a few pairs so that merging has work, and filling."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    tokens = [chr(b if b in printable else next(others)) for b in range(256)]
    pairs = [(a, b) for a in "etaoinshrdlu" for b in "etaoinshrdlu"]
    tokens += [a + b for a, b in pairs]
    tokens += [f"<t{i}>" for i in range(len(tokens), size - 2)] + ["<|begin|>", "<|end|>"]
    return tokens, [1] * (size - 2) + [3, 3], [f"{a} {b}" for a, b in pairs]


def metadata(c, name, quant, split):
    m = {"general.architecture": c["arch"], "general.type": "model", "general.name": name, "general.alignment": 32,
         "general.file_type": 15 if quant == "q4_k_m" else FORMATS[quant].file_type, "general.quantization_version": 2}
    a = {"block_count": c["layers"], "context_length": c["context"], "embedding_length": c["hidden"],
         "feed_forward_length": c["ff"], "vocab_size": c["vocab"], "attention.head_count": c["heads"],
         "rope.freq_base": c["theta"], "attention.layer_norm_rms_epsilon": c["eps"]}
    if c["experts"]:
        a.update({"expert_count": c["experts"], "expert_used_count": c["used"], "expert_feed_forward_length": c["ff_exp"]})
    if c["arch"] == "deepseek2":
        a.update({"leading_dense_block_count": c["dense"], "expert_shared_count": c["shared"],
                  "expert_weights_scale": c["scale"], "expert_weights_norm": c["norm"], "expert_gating_func": c["gating"],
                  "attention.head_count_kv": 1 if split else c["heads"], "attention.kv_lora_rank": c["kv_lora"],
                  "attention.key_length": c["rope"] + (c["kv_lora"] if split else c["nope"]),
                  "attention.value_length": c["kv_lora"] if split else c["v"], "rope.dimension_count": c["rope"],
                  "rope.scaling.type": "yarn", "rope.scaling.factor": c["yarn"],
                  "rope.scaling.original_context_length": c["yarn_context"],
                  "rope.scaling.yarn_log_multiplier": 0.1 * c["mscale"]})
        if split:
            a.update({"attention.key_length_mla": c["nope"] + c["rope"], "attention.value_length_mla": c["v"]})
        if c["groups"] > 1:
            a.update({"expert_group_count": c["groups"], "expert_group_used_count": c["groups_used"]})
        # Some readers take files of 26 and 27 layers to have no low-rank q; any other count must say so.
        if c["q_lora"] or c["layers"] not in (26, 27):
            a["attention.q_lora_rank"] = c["q_lora"]
    else:
        a.update({"attention.head_count_kv": c["kv_heads"], "attention.key_length": c["head_dim"],
                  "attention.value_length": c["head_dim"], "rope.dimension_count": c["head_dim"]})
    m.update({f"{c['arch']}.{key}": value for key, value in a.items()})
    tokens, types, merges = vocabulary(c["vocab"])
    t = {"model": "gpt2", "pre": c["pre"], "tokens": tokens, "token_type": types, "merges": merges,
         "bos_token_id": c["vocab"] - 2, "eos_token_id": c["vocab"] - 1, "padding_token_id": c["vocab"] - 1,
         "add_bos_token": True, "add_eos_token": False}
    m.update({"tokenizer.ggml." + key: value for key, value in t.items()})
    return b"".join(entry(key, value) for key, value in m.items()), len(m)


Placed = namedtuple("Placed", "tensor format offset bytes")


def place(c, quant, split, folder):
    if folder:
        placed = [Placed(t, s.dtype, 0, huggingface_folder.bytes_of(s)) for t, s in huggingface_folder.stored(tensors(c, False), quant)]
        return placed, sum(p.bytes for p in placed)
    placed, end = [], 0
    for t in tensors(c, split):
        name = format_of(quant, t, c["layers"])
        size = math.prod(t.dims) // FORMATS[name].values * FORMATS[name].bytes
        placed.append(Placed(t, name, end, size))
        end += -(-size // 32) * 32
    return placed, end


def sizes(c, o, placed, total):
    by_format, by_role = {}, {"table": 0, "shared": 0, "expert": 0}
    for p in placed:
        by_format[p.format] = by_format.get(p.format, 0) + p.bytes
        by_role[p.tensor.role] += p.bytes
    experts_read = by_role["expert"] * c["used"] // c["experts"] if c["experts"] else 0
    cached = c["kv_lora"] + c["rope"] if c["arch"] == "deepseek2" else 2 * c["kv_heads"] * c["head_dim"]
    return dict(preset=o.preset, quant=o.quant, layers=c["layers"], experts=c["experts"], seed=o.seed, weight_bytes=total,
                bytes_read_per_token=by_role["shared"] + experts_read + by_role["table"] // c["vocab"],
                expert_bytes_read_per_token=experts_read, cache_values_per_token=c["layers"] * cached,
                bytes_by_format=by_format)


def write(f, c, o, placed):
    entries, count = metadata(c, f"{o.preset}-synthetic", o.quant, o.mla == "split")
    head = b"GGUF" + struct.pack("<IQQ", 3, len(placed), count) + entries
    for p in placed:
        head += text(p.tensor.name) + struct.pack(f"<I{len(p.tensor.dims)}Q", len(p.tensor.dims), *p.tensor.dims)
        head += struct.pack("<IQ", FORMATS[p.format].id, p.offset)
    f.write(head + bytes(-len(head) % 32))
    weights = Weights(o.seed)
    for p in placed:
        values, chunk = math.prod(p.tensor.dims), 1 << 22  # a multiple of every block
        for first in range(0, values, chunk):
            n = min(chunk, values - first)
            norm = p.tensor.deviation is None
            f.write(weights.floats("f32", n, 0.1, mean=1.0) if norm else weights.blocks(p.format, n, p.tensor.deviation))
        f.write(bytes(-p.bytes % 32))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("--preset", choices=PRESETS, default="v2lite")
    ap.add_argument("--quant", choices=sorted([*FORMATS, "q4_k_m", "fp8"]), default="q4_k_m")
    ap.add_argument("--layers", type=int)
    ap.add_argument("--experts", type=int)
    ap.add_argument("--vocab", type=int)
    ap.add_argument("--mla", choices=("split", "joint"), default="split",
                    help="the latent's up-projection as attn_k_b and attn_v_b, or as one attn_kv_b (older files)")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--sizes-only", action="store_true", help="print the sizes, write nothing")
    o = ap.parse_args()
    c = dict(PRESETS[o.preset])
    c["layers"] = o.layers or c["layers"]
    c["vocab"] = max(o.vocab or c["vocab"], 512)  # the made-up vocabulary's own needs
    if o.experts and c["experts"]:
        c["experts"] = o.experts
        c["used"] = min(c["used"], o.experts)
        if o.experts % c["groups"]:
            c["groups"] = c["groups_used"] = 1

    folder = not o.out.endswith(".gguf")
    if folder and o.quant not in huggingface_folder.DTYPES:
        ap.error(f"a folder holds {', '.join(huggingface_folder.DTYPES)}, not {o.quant}")
    if o.quant == "fp8" and not folder:
        ap.error("fp8 is for folders")
    placed, total = place(c, o.quant, o.mla == "split", folder)
    info = sizes(c, o, placed, total)
    if o.sizes_only:
        print(json.dumps(info, indent=1))
        return
    start = time.time()
    if folder:
        info["file_bytes"] = huggingface_folder.write(o.out, c, o.quant, tensors(c, False), Weights(o.seed))
    else:
        with open(o.out + ".part", "wb") as f:
            write(f, c, o, placed)
            info["file_bytes"] = f.tell()
        os.replace(o.out + ".part", o.out)
    with open(os.path.join(o.out, "sizes.json") if folder else o.out + ".json", "w") as f:
        json.dump(info, f, indent=1)
    print(f"{o.out}: {info['file_bytes'] / 1e9:.2f} GB, {info['bytes_read_per_token'] / 1e9:.3f} GB read for a token, "
          f"written in {time.time() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
