"""DeepSeek-V3 (arXiv:2412.19437) in PyTorch, small: latent attention, mixture of experts, one multi-token-prediction module.

Shapes: B texts, T positions, N = B * T rows, D hidden size, E routed experts, k chosen of them, V vocabulary. Parameters are named as
in the released checkpoints, but experts of a layer are stacked, gate and up in one. Works with PyTorch 1.13 and later, on any device.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class Config:
    """The fields of config.json that shape the network, under their names there."""
    vocab_size: int = 4096
    hidden_size: int = 256
    num_hidden_layers: int = 5
    first_k_dense_replace: int = 1
    num_attention_heads: int = 4
    q_lora_rank: int = 128
    kv_lora_rank: int = 64
    qk_nope_head_dim: int = 32
    qk_rope_head_dim: int = 16
    v_head_dim: int = 32
    intermediate_size: int = 512
    moe_intermediate_size: int = 128
    n_routed_experts: int = 16
    n_shared_experts: int = 1
    num_experts_per_tok: int = 2
    n_group: int = 4
    topk_group: int = 2
    routed_scaling_factor: float = 1.5
    num_nextn_predict_layers: int = 1
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    max_position_embeddings: int = 2048
    # YaRN (arXiv:2309.00071); factor 1 leaves the rotary embedding as it is.
    yarn_factor: float = 4.0
    yarn_original: int = 512
    yarn_beta_fast: float = 32.0
    yarn_beta_slow: float = 1.0
    yarn_mscale: float = 1.0

    def to_dict(self) -> Dict[str, Any]:
        return asdict(self)


def yarn_magnitude(factor: float, mscale: float) -> float:
    return 0.1 * mscale * math.log(factor) + 1.0 if factor > 1.0 else 1.0


def rotary_frequencies(c: Config) -> Tensor:
    """[rope_dim / 2], YaRN's ramp between the frequencies as they are and divided by the factor."""
    d = c.qk_rope_head_dim
    plain = c.rope_theta ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    if c.yarn_factor <= 1.0:
        return plain.float()

    def corrected(rotations: float) -> float:
        return d * math.log(c.yarn_original / (rotations * 2 * math.pi)) / (2 * math.log(c.rope_theta))

    low, high = max(math.floor(corrected(c.yarn_beta_fast)), 0), min(math.ceil(corrected(c.yarn_beta_slow)), d - 1)
    ramp = ((torch.arange(d // 2, dtype=torch.float64) - low) / max(high - low, 0.001)).clamp(0, 1)
    return (plain / c.yarn_factor * ramp + plain * (1 - ramp)).float()


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turns neighbouring pairs of x [B, T, heads, rope_dim] by angles [T, rope_dim / 2]."""
    cos, sin = angles.cos()[None, :, None], angles.sin()[None, :, None]
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class LatentAttention(nn.Module):
    """Multi-head latent attention (arXiv:2405.04434, section 2.1), expanded; queries and keys-values both of low rank."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.c, h = c, c.num_attention_heads
        self.q_a_proj = nn.Linear(c.hidden_size, c.q_lora_rank, bias=False)
        self.q_a_layernorm = RMSNorm(c.q_lora_rank, 1e-6)
        self.q_b_proj = nn.Linear(c.q_lora_rank, h * (c.qk_nope_head_dim + c.qk_rope_head_dim), bias=False)
        self.kv_a_proj_with_mqa = nn.Linear(c.hidden_size, c.kv_lora_rank + c.qk_rope_head_dim, bias=False)
        self.kv_a_layernorm = RMSNorm(c.kv_lora_rank, 1e-6)
        self.kv_b_proj = nn.Linear(c.kv_lora_rank, h * (c.qk_nope_head_dim + c.v_head_dim), bias=False)
        self.o_proj = nn.Linear(h * c.v_head_dim, c.hidden_size, bias=False)
        self.scale = (c.qk_nope_head_dim + c.qk_rope_head_dim) ** -0.5 * yarn_magnitude(c.yarn_factor, c.yarn_mscale) ** 2

    def begin_copying(self, factor: float) -> None:
        """Lets a head begin by passing on what it looks at: its output is the transpose of what makes its values. Then a token that
        is attended to becomes likelier at once, and attention has something to learn from; from random outputs, names were not
        repeated after four million tokens."""
        c = self.c
        lift = self.kv_b_proj.weight.view(c.num_attention_heads, -1, c.kv_lora_rank)[:, c.qk_nope_head_dim:].reshape(-1, c.kv_lora_rank)
        values = lift @ self.kv_a_proj_with_mqa.weight[:c.kv_lora_rank]  # [heads * v, D]
        self.o_proj.weight.copy_(factor * values.t() * (values.shape[1] / values.shape[0]) ** 0.5)

    def forward(self, x: Tensor, angles: Tensor, mask: Tensor) -> Tensor:
        c, (b, t, _) = self.c, x.shape
        nope, rope = c.qk_nope_head_dim, c.qk_rope_head_dim
        q = self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x))).view(b, t, -1, nope + rope)
        latent, k_rope = self.kv_a_proj_with_mqa(x).split([c.kv_lora_rank, rope], -1)
        kv = self.kv_b_proj(self.kv_a_layernorm(latent)).view(b, t, -1, nope + c.v_head_dim)
        q = torch.cat((q[..., :nope], rotate(q[..., nope:], angles)), -1)
        k_rope = rotate(k_rope[:, :, None], angles).expand(-1, -1, c.num_attention_heads, -1)
        k = torch.cat((kv[..., :nope], k_rope), -1)
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) * self.scale + mask  # [B, heads, T, T]
        heads = scores.float().softmax(-1).to(x.dtype) @ kv[..., nope:].transpose(1, 2)
        return self.o_proj(heads.transpose(1, 2).reshape(b, t, -1))


class GatedMLP(nn.Module):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Mixture(nn.Module):
    """DeepSeekMoE with sigmoid scores, a correction bias for the choice alone, and groups (arXiv:2412.19437, section 2.1.2)."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.c = c
        e, d, inner = c.n_routed_experts, c.hidden_size, c.moe_intermediate_size
        self.gate = nn.Parameter(torch.empty(e, d))
        self.register_buffer("e_score_correction_bias", torch.zeros(e))
        self.gate_up = nn.Parameter(torch.empty(e, 2 * inner, d))  # gate first
        self.down = nn.Parameter(torch.empty(e, d, inner))
        self.shared_experts = GatedMLP(d, inner * c.n_shared_experts)
        self.load = torch.zeros(e)            # tokens each expert got in the last pass
        self.sequence_loss = torch.zeros(())  # of the last pass, before its factor

    def choose(self, scores: Tensor) -> Tensor:
        """scores [N, E] -> chosen experts [N, k]."""
        c = self.c
        choice = scores + self.e_score_correction_bias
        if c.n_group > 1:
            groups = choice.view(-1, c.n_group, c.n_routed_experts // c.n_group)
            best_two = groups.topk(2, -1).values.sum(-1)  # [N, groups]
            kept = torch.zeros_like(best_two).scatter_(1, best_two.topk(c.topk_group, -1).indices, 1.0).bool()
            choice = groups.masked_fill(~kept[..., None], -math.inf).flatten(1)
        return choice.topk(c.num_experts_per_tok, -1).indices

    def forward(self, x: Tensor, valid: Optional[Tensor] = None) -> Tensor:
        """x [B, T, D]; `valid` [B, T] marks positions that are text, for the load's statistics."""
        c, (b, t, d) = self.c, x.shape
        rows = x.reshape(-1, d)
        scores = F.linear(rows.float(), self.gate.float()).sigmoid()
        with torch.no_grad():
            chosen = self.choose(scores)
        weights = scores.gather(1, chosen)
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-20) * c.routed_scaling_factor

        hits = F.one_hot(chosen, c.n_routed_experts).sum(1).view(b, t, -1).float()
        if valid is not None:
            hits = hits * valid[..., None]
        self.load = hits.sum((0, 1)).detach()
        if self.training:  # the complementary sequence-wise loss, equations 17 to 20
            share = hits.mean(1) * c.n_routed_experts / c.num_experts_per_tok
            mean_score = (scores / scores.sum(-1, keepdim=True)).view(b, t, -1).mean(1)
            self.sequence_loss = (share * mean_score).sum(-1).mean()

        # Rows sorted by expert; each expert works on its own, and the results go back to their rows.
        order = chosen.flatten().argsort()
        counts = torch.bincount(chosen.flatten(), minlength=c.n_routed_experts).tolist()
        sources = torch.div(order, c.num_experts_per_tok, rounding_mode="floor")
        outputs: List[Tensor] = []
        for part, gate_up, down in zip(rows[sources].split(counts), self.gate_up.unbind(0), self.down.unbind(0)):
            gate, up = F.linear(part, gate_up).chunk(2, -1)
            outputs.append(F.linear(F.silu(gate) * up, down))
        routed = torch.cat(outputs) * weights.flatten()[order, None].to(x.dtype)
        result = torch.zeros_like(rows).index_add(0, sources, routed.to(rows.dtype))
        return (result + self.shared_experts(rows)).view(b, t, d)

    @torch.no_grad()
    def balance(self, speed: float) -> None:
        """The published update: an expert with more than its share loses `speed` of bias, one with less gains it."""
        self.e_score_correction_bias += speed * torch.sign(self.load.mean() - self.load)


class Layer(nn.Module):
    def __init__(self, c: Config, dense: bool) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = LatentAttention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.mlp = GatedMLP(c.hidden_size, c.intermediate_size) if dense else Mixture(c)

    def forward(self, x: Tensor, angles: Tensor, mask: Tensor, valid: Optional[Tensor]) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), angles, mask)
        inner = self.post_attention_layernorm(x)
        return x + (self.mlp(inner, valid) if isinstance(self.mlp, Mixture) else self.mlp(inner))


class Prediction(nn.Module):
    """The multi-token-prediction module (section 2.2): from a position's state and the next token, the token after that. Embedding
    and head are the main model's. The state is taken behind the final norm, as engines that draft with it do."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.enorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.hnorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.eh_proj = nn.Linear(2 * c.hidden_size, c.hidden_size, bias=False)  # the embedding's half first
        self.layer = Layer(c, dense=False)
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)

    def forward(self, embedded: Tensor, state: Tensor, angles: Tensor, mask: Tensor, valid: Optional[Tensor]) -> Tensor:
        joined = self.eh_proj(torch.cat((self.enorm(embedded), self.hnorm(state)), -1))
        return self.norm(self.layer(joined, angles, mask, valid))


class States(NamedTuple):
    main: Tensor                # [B, T, D], normed: head(main[:, i]) predicts token i + 1
    ahead: Optional[Tensor]     # [B, T - 1, D], normed: head(ahead[:, i]) predicts token i + 2


class DeepseekV3(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.config = c
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList([Layer(c, i < c.first_k_dense_replace) for i in range(c.num_hidden_layers)])
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.lm_head = nn.Linear(c.hidden_size, c.vocab_size, bias=False)
        self.mtp = Prediction(c) if c.num_nextn_predict_layers else None
        self.register_buffer("frequencies", rotary_frequencies(c), persistent=False)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Fresh weights: variance 1 / inputs, what adds to the residual stream smaller the deeper the model. The embedding is about
        as large as what the layers add: begun at 0.02 it was still a hundredth of the stream after 600 steps."""
        depth = (2 * self.config.num_hidden_layers) ** -0.5
        for name, p in self.named_parameters():
            if p.dim() < 2:
                continue
            std = 0.5 if name.startswith("embed_tokens") else 0.02 if name.startswith("lm_head") else p.shape[-1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight", "down")):
                std *= depth
            nn.init.normal_(p, 0.0, std)
        for layer in self.layers:
            layer.self_attn.begin_copying(depth)

    def mixtures(self) -> List[Tuple[str, Mixture]]:
        """Every mixture with its layer's number as text; the prediction module counts as the layer behind the last."""
        found = [(str(i), layer.mlp) for i, layer in enumerate(self.layers) if isinstance(layer.mlp, Mixture)]
        return found + ([(str(len(self.layers)), self.mtp.layer.mlp)] if self.mtp else [])

    def forward(self, ids: Tensor, valid: Optional[Tensor] = None, ahead: bool = False) -> States:
        """ids [B, T]. Padding may stand at the end of a text only: attention is causal, so text never sees it."""
        t = ids.shape[1]
        angles = torch.outer(torch.arange(t, device=ids.device, dtype=torch.float32), self.frequencies)
        x = self.embed_tokens(ids)
        mask = torch.full((t, t), -math.inf, device=ids.device, dtype=x.dtype).triu(1)
        for layer in self.layers:
            x = layer(x, angles, mask, valid)
        main = self.norm(x)
        if not ahead or self.mtp is None:
            return States(main, None)
        late = None if valid is None else valid[:, 1:]
        return States(main, self.mtp(self.embed_tokens(ids[:, 1:]), main[:, :-1], angles[:-1], mask[:-1, :-1], late))

    def logits(self, ids: Tensor) -> Tensor:
        """[B, T, V] float32."""
        return self.lm_head(self.forward(ids).main).float()

    def sizes(self) -> Dict[str, int]:
        """Parameters in all, and those that a token of the main model meets (head included, embedding not)."""
        total = sum(p.numel() for p in self.parameters())
        ahead = sum(p.numel() for p in self.mtp.parameters()) if self.mtp else 0
        main = total - ahead - self.embed_tokens.weight.numel()
        c = self.config
        idle = sum((m.gate_up.numel() + m.down.numel()) * (1 - c.num_experts_per_tok / c.n_routed_experts)
                   for name, m in self.mixtures() if int(name) < c.num_hidden_layers)
        return {"total": total, "active": int(main - idle), "prediction_module": ahead}
