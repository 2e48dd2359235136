"""A run's checkpoint as a Hugging Face folder, stored as DeepSeek releases its models: FP8 with factors for blocks of 128 x 128.

    python3 export.py RUN FOLDER

Matrices of attention and MLPs are FP8; embedding, head, norms, routers and `eh_proj` are bfloat16, the correction bias float32. The
prediction module is the layer behind the last and carries copies of embedding and head, as released checkpoints do.
"""

import argparse
import json
import os
import shutil
from typing import Any, Dict, Iterator, Tuple

import numpy
import torch

import storage
from model import Config, DeepseekV3, Layer, Mixture
from train import load

BEGIN_ID, END_ID = 0, 1


def huggingface_config(c: Config, quantized: bool = True) -> Dict[str, Any]:
    config: Dict[str, Any] = {
        "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": BEGIN_ID, "eos_token_id": END_ID, "hidden_act": "silu", "initializer_range": 0.02, "moe_layer_freq": 1,
        "norm_topk_prob": True, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "tie_word_embeddings": False,
        "torch_dtype": "bfloat16", "use_cache": True, "num_key_value_heads": c.num_attention_heads}
    for field in ("vocab_size", "hidden_size", "num_hidden_layers", "first_k_dense_replace", "num_attention_heads", "q_lora_rank",
                  "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "intermediate_size", "moe_intermediate_size",
                  "n_routed_experts", "n_shared_experts", "num_experts_per_tok", "n_group", "topk_group", "routed_scaling_factor",
                  "num_nextn_predict_layers", "rms_norm_eps", "rope_theta", "max_position_embeddings"):
        config[field] = getattr(c, field)
    config["rope_scaling"] = None if c.yarn_factor <= 1 else {
        "type": "yarn", "factor": c.yarn_factor, "original_max_position_embeddings": c.yarn_original, "beta_fast": c.yarn_beta_fast,
        "beta_slow": c.yarn_beta_slow, "mscale": c.yarn_mscale, "mscale_all_dim": c.yarn_mscale}
    if quantized:
        config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                                         "weight_block_size": [storage.BLOCK, storage.BLOCK]}
    return dict(sorted(config.items()))


def layer_tensors(prefix: str, layer: Layer) -> Iterator[Tuple[str, str, torch.Tensor]]:
    """(name, "fp8" | "bf16" | "f32", values) of one decoder layer."""
    for name, p in layer.named_parameters():
        if isinstance(layer.mlp, Mixture) and name in ("mlp.gate", "mlp.gate_up", "mlp.down"):
            continue
        yield f"{prefix}.{name}", "fp8" if p.dim() == 2 else "bf16", p
    if not isinstance(layer.mlp, Mixture):
        return
    yield f"{prefix}.mlp.gate.weight", "bf16", layer.mlp.gate
    yield f"{prefix}.mlp.gate.e_score_correction_bias", "f32", layer.mlp.e_score_correction_bias
    for e, (gate_up, down) in enumerate(zip(layer.mlp.gate_up, layer.mlp.down)):
        gate, up = gate_up.chunk(2, 0)
        for name, p in (("gate_proj", gate), ("up_proj", up), ("down_proj", down)):
            yield f"{prefix}.mlp.experts.{e}.{name}.weight", "fp8", p


def all_tensors(net: DeepseekV3) -> Iterator[Tuple[str, str, torch.Tensor]]:
    yield "model.embed_tokens.weight", "bf16", net.embed_tokens.weight
    yield "model.norm.weight", "bf16", net.norm.weight
    yield "lm_head.weight", "bf16", net.lm_head.weight
    for i, layer in enumerate(net.layers):
        yield from layer_tensors(f"model.layers.{i}", layer)
    if net.mtp is None:
        return
    prefix = f"model.layers.{len(net.layers)}"
    yield f"{prefix}.embed_tokens.weight", "bf16", net.embed_tokens.weight
    yield f"{prefix}.enorm.weight", "bf16", net.mtp.enorm.weight
    yield f"{prefix}.hnorm.weight", "bf16", net.mtp.hnorm.weight
    yield f"{prefix}.eh_proj.weight", "bf16", net.mtp.eh_proj.weight
    yield f"{prefix}.shared_head.norm.weight", "bf16", net.mtp.norm.weight
    yield f"{prefix}.shared_head.head.weight", "bf16", net.lm_head.weight
    yield from layer_tensors(prefix, net.mtp.layer)


def stored(net: DeepseekV3) -> Dict[str, Tuple[str, numpy.ndarray]]:
    """Tensors for storage.write_safetensors."""
    tensors = {}
    for name, kind, values in all_tensors(net):
        x = values.detach().float().cpu().numpy()
        if kind == "fp8":
            codes, factors = storage.quantize_blocks(x)
            tensors[name], tensors[name + "_scale_inv"] = ("F8_E4M3", codes), ("F32", factors)
        elif kind == "bf16":
            tensors[name] = ("BF16", storage.encode_bf16(x))
        else:
            tensors[name] = ("F32", x)
    return tensors


@torch.no_grad()
def read_back(folder: str, config: Config) -> DeepseekV3:
    """The network with the weights as they are stored in the folder, in float32."""
    net = DeepseekV3(config)
    found = storage.read_safetensors(os.path.join(folder, "model.safetensors"))
    for name, _, values in all_tensors(net):
        values.copy_(torch.from_numpy(found[name]))  # views of the stacked experts write through
    return net.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder")
    given = parser.parse_args()
    net = load(given.run)
    os.makedirs(given.folder, exist_ok=True)
    storage.write_safetensors(os.path.join(given.folder, "model.safetensors"), stored(net))
    generation = {"bos_token_id": BEGIN_ID, "eos_token_id": END_ID, "do_sample": True, "temperature": 0.7, "top_p": 0.95}
    for name, content in (("config.json", huggingface_config(net.config)), ("generation_config.json", generation)):
        with open(os.path.join(given.folder, name), "w", encoding="utf-8") as out:
            json.dump(content, out, indent=2)
            out.write("\n")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(given.run, "tokenizer", name), os.path.join(given.folder, name))
    print(sum(os.path.getsize(os.path.join(given.folder, f)) for f in os.listdir(given.folder)), "bytes in", given.folder)


if __name__ == "__main__":
    main()
