"""Writes a made-up model as a Hugging Face folder: config.json and model.safetensors, without a tokenizer.

Tensors are those of make_model.py under the names that the families' releases have; stacked experts become a matrix for each. With
`fp8` linear layers are stored as DeepSeek-V3's release has them: weight in F8_E4M3, weight_scale_inv in F32 for each 128 x 128
block; embedding, head, routers and norms stay in BF16.
"""
import json
import math
import os
import re
import struct
from collections import namedtuple

import numpy as np

DTYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16", "fp8": "F8_E4M3"}
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1}
BLOCK = 128
FP8_DEVIATION = 100.0  # of the stored numbers, of which 448 is the largest: a block's largest weight is near it

Stored = namedtuple("Stored", "name dtype shape deviation")  # shape outermost first; deviation None: a norm, a float: weights

OUTER = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
INNER = {
    "attn_norm.weight": "input_layernorm.weight", "ffn_norm.weight": "post_attention_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight", "attn_k.weight": "self_attn.k_proj.weight", "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight", "attn_q_norm.weight": "self_attn.q_norm.weight",
    "attn_k_norm.weight": "self_attn.k_norm.weight", "attn_q_a.weight": "self_attn.q_a_proj.weight",
    "attn_q_a_norm.weight": "self_attn.q_a_layernorm.weight", "attn_q_b.weight": "self_attn.q_b_proj.weight",
    "attn_kv_a_mqa.weight": "self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_norm.weight": "self_attn.kv_a_layernorm.weight",
    "attn_kv_b.weight": "self_attn.kv_b_proj.weight", "ffn_gate_inp.weight": "mlp.gate.weight",
    "exp_probs_b.bias": "mlp.gate.e_score_correction_bias",
}


def names(tensor):
    """The tensor's name, or that of each of its matrices."""
    if tensor.name in OUTER:
        return [OUTER[tensor.name]]
    layer, rest = re.fullmatch(r"blk\.(\d+)\.(.+)", tensor.name).groups()
    prefix = f"model.layers.{layer}."
    if rest in INNER:
        return [prefix + INNER[rest]]
    which, kind = re.fullmatch(r"ffn_(gate|up|down)(_exps|_shexp|)\.weight", rest).groups()
    if kind == "_exps":
        return [f"{prefix}mlp.experts.{e}.{which}_proj.weight" for e in range(tensor.dims[2])]
    return [f"{prefix}mlp.{'shared_experts.' if kind else ''}{which}_proj.weight"]


def dtype_of(quant, tensor):
    if tensor.name.endswith("exp_probs_b.bias"):
        return "F32"
    kept = len(tensor.dims) < 2 or tensor.name in OUTER or "ffn_gate_inp" in tensor.name
    return "BF16" if quant == "fp8" and kept else DTYPES[quant]


def stored(tensors, quant):
    """Every tensor of the file with the bytes that a token reads of it left to `sizes`."""
    for t in tensors:
        dtype, shape = dtype_of(quant, t), list(reversed(t.dims[:2]))
        for name in names(t):
            yield t, Stored(name, dtype, shape, t.deviation)
            if dtype == "F8_E4M3":
                blocks = [-(-n // BLOCK) for n in shape]
                yield t, Stored(name + "_scale_inv", "F32", blocks, t.deviation)


def bytes_of(s):
    return math.prod(s.shape) * BYTES[s.dtype]


def config(c, quant):
    out = {"hidden_act": "silu", "hidden_size": c["hidden"], "intermediate_size": c["ff"], "num_hidden_layers": c["layers"],
           "num_attention_heads": c["heads"], "max_position_embeddings": c["context"], "rms_norm_eps": c["eps"],
           "rope_theta": c["theta"], "vocab_size": c["vocab"], "tie_word_embeddings": False, "attention_bias": False,
           "bos_token_id": c["vocab"] - 2, "eos_token_id": c["vocab"] - 1,
           "torch_dtype": {"f32": "float32", "f16": "float16"}.get(quant, "bfloat16")}
    if c["arch"] == "deepseek2":
        third = c["gating"] == 2
        out.update({"architectures": [f"DeepseekV{3 if third else 2}ForCausalLM"], "model_type": f"deepseek_v{3 if third else 2}",
                    "num_key_value_heads": c["heads"], "q_lora_rank": c["q_lora"] or None, "kv_lora_rank": c["kv_lora"],
                    "qk_nope_head_dim": c["nope"], "qk_rope_head_dim": c["rope"], "v_head_dim": c["v"],
                    "first_k_dense_replace": c["dense"], "moe_layer_freq": 1, "moe_intermediate_size": c["ff_exp"],
                    "n_routed_experts": c["experts"], "n_shared_experts": c["shared"], "num_experts_per_tok": c["used"],
                    "norm_topk_prob": c["norm"], "routed_scaling_factor": c["scale"], "n_group": c["groups"],
                    "topk_group": c["groups_used"], "scoring_func": "sigmoid" if third else "softmax",
                    "topk_method": "noaux_tc" if third else "group_limited_greedy" if c["groups"] > 1 else "greedy",
                    "rope_scaling": {"type": "yarn", "factor": c["yarn"], "beta_fast": 32, "beta_slow": 1, "mscale": c["mscale"],
                                     "mscale_all_dim": c["mscale"], "original_max_position_embeddings": c["yarn_context"]}})
    else:
        out.update({"num_key_value_heads": c["kv_heads"], "head_dim": c["head_dim"], "rope_scaling": None})
        if c["experts"]:
            out.update({"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": c["experts"],
                        "num_experts_per_tok": c["used"], "moe_intermediate_size": c["ff_exp"], "norm_topk_prob": True,
                        "decoder_sparse_step": 1, "mlp_only_layers": []})
        else:
            out.update({"architectures": ["LlamaForCausalLM"], "model_type": "llama"})
    if quant == "fp8":
        out["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                                      "weight_block_size": [BLOCK, BLOCK]}
    return out


def to_e4m3(x):
    """The nearest E4M3 numbers, as bytes; what is larger than the largest becomes that."""
    codes = np.arange(127)
    exponent, mantissa = codes >> 3, codes & 7
    values = np.where(exponent == 0, mantissa * 2.0 ** -9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    borders = ((values[1:] + values[:-1]) / 2).astype(np.float32)
    return (np.searchsorted(borders, np.abs(x)) | np.where(np.signbit(x), 128, 0)).astype(np.uint8)


class Values:
    """Bytes of tensors, from make_model's source of random weights."""

    def __init__(self, weights, quant):
        self.weights = weights
        self.fp8 = to_e4m3(weights.normals * np.float32(FP8_DEVIATION)) if quant == "fp8" else None

    def chunk(self, s, count):
        if s.dtype == "F8_E4M3":
            start = self.weights.rng.integers(0, len(self.fp8) - count + 1)
            return self.fp8[start:start + count].tobytes()
        if s.name.endswith("_scale_inv"):
            scales = (0.75 + 0.5 * self.weights.rng.random(count, dtype=np.float32)) * np.float32(s.deviation / FP8_DEVIATION)
            return scales.astype("<f4").tobytes()
        norm = s.deviation is None
        return self.weights.floats(s.dtype.lower(), count, 0.1 if norm else s.deviation, mean=1.0 if norm else 0.0)


def write(folder, c, quant, tensors, weights):
    """One chunk is in memory at a time. Returns the file's size."""
    header, end, placed = {"__metadata__": {"format": "pt"}}, 0, [s for _, s in stored(tensors, quant)]
    for s in placed:
        header[s.name] = {"dtype": s.dtype, "shape": s.shape, "data_offsets": [end, end + bytes_of(s)]}
        end += bytes_of(s)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="ascii") as f:
        json.dump(config(c, quant), f, indent=2)
    path, values = os.path.join(folder, "model.safetensors"), Values(weights, quant)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for s in placed:
            left, most = math.prod(s.shape), 1 << 22
            while left:
                f.write(values.chunk(s, min(left, most)))
                left -= min(left, most)
        size = f.tell()
    os.replace(path + ".part", path)
    return size
