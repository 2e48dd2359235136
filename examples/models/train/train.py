"""The loop: trains model.py on packed tales, with checkpoints; and measures what came out.

    python3 train.py RUN --steps 2000              # goes on from RUN/checkpoint.pt when there is one
    python3 train.py RUN --measure                 # held-out perplexity, expert load, prediction module; RUN/measured.json

RUN holds data/ and tokenizer/ (data.py). Written there: checkpoint.pt, config.json (Config), log.jsonl (one line a logged step).
The learning rate rises, stays, and falls to zero over the last part of --steps; more steps may be asked for later.
"""

import argparse
import json
import math
import os
import random
import time
from typing import Any, Dict, Iterator, List, Tuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

from model import Config, DeepseekV3

PAD = 2


class Texts:
    """Token files as texts; batches of about equal length, so that little is padding. The order follows from (seed, epoch)."""

    def __init__(self, path: str) -> None:
        with numpy.load(path) as packed:
            self.ids, ends = packed["ids"], packed["ends"]
        self.spans = list(zip([0] + ends[:-1].tolist(), ends.tolist()))

    def rare_tokens(self, vocabulary: int, share: float = 0.05) -> Tensor:
        """Bool [vocabulary]: in no more than this share of the texts. Names are, and what a tale is about."""
        texts_with = numpy.zeros(vocabulary, dtype=numpy.int64)
        for first, last in self.spans:
            texts_with[numpy.unique(self.ids[first:last])] += 1
        return torch.from_numpy(texts_with <= share * len(self.spans))

    def batches(self, tokens: int, seed: str) -> Iterator[Tuple[Tensor, Tensor]]:
        """ids [B, T] int64 and valid [B, T] bool, of at most about `tokens` positions."""
        rng = random.Random(seed)
        order = list(range(len(self.spans)))
        rng.shuffle(order)
        window = max(64, 16 * tokens // 200)
        for start in range(0, len(order), window):
            near = sorted(order[start:start + window], key=lambda i: self.spans[i][1] - self.spans[i][0])
            groups: List[List[int]] = [[]]
            for i in near:
                length = self.spans[i][1] - self.spans[i][0]
                if groups[-1] and (len(groups[-1]) + 1) * length > tokens:
                    groups.append([])
                groups[-1].append(i)
            rng.shuffle(groups)
            for group in groups:
                yield self.padded(group)

    def padded(self, group: List[int]) -> Tuple[Tensor, Tensor]:
        longest = max(self.spans[i][1] - self.spans[i][0] for i in group)
        ids = torch.full((len(group), longest), PAD, dtype=torch.int64)
        valid = torch.zeros((len(group), longest), dtype=torch.bool)
        for row, i in enumerate(group):
            first, last = self.spans[i]
            ids[row, :last - first] = torch.from_numpy(self.ids[first:last].astype(numpy.int64))
            valid[row, :last - first] = True
        return ids, valid


def tied_head(net: DeepseekV3) -> Tensor:
    """The head as the embedding, scaled to begin with small logits: [V, D]. To repeat a name then needs one map for all names."""
    return net.embed_tokens.weight / 16.0


def repeats(ids: Tensor, rare: Tensor) -> Tensor:
    """Bool [B, T]: a rare token that the text has had before."""
    same = (ids[:, :, None] == ids[:, None, :]).tril(-1).any(-1)
    return same & rare[ids]


def mean_loss(states: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy, the mean by weights [N]: states [N, D], head [V, D], targets [N]."""
    return (F.cross_entropy(F.linear(states, head).float(), targets, reduction="none") * weights).sum() / weights.sum()


def losses(net: DeepseekV3, head: Tensor, ids: Tensor, valid: Tensor, weights: Tensor, ahead: bool) -> Tuple[Tensor, Tensor]:
    """Losses of the next token and, with `ahead`, of the one after it (else 0), over text positions. head [V, D], weights [B, T]."""
    states = net(ids, valid, ahead)
    here = valid[:, 1:]
    main = mean_loss(states.main[:, :-1][here], head, ids[:, 1:][here], weights[:, 1:][here])
    if states.ahead is None:
        return main, torch.zeros((), device=ids.device)
    later = valid[:, 2:]
    return main, mean_loss(states.ahead[:, :-1][later], head, ids[:, 2:][later], weights[:, 2:][later])


def learning_rate(step: int, given: argparse.Namespace) -> float:
    rise = min(1.0, (step + 1) / given.warmup)
    fall = min(1.0, (given.steps - step) / max(1.0, given.decay * given.steps))
    return given.learning_rate * rise * fall


def train(given: argparse.Namespace) -> None:
    torch.manual_seed(given.seed)
    device = torch.device(given.device)
    config_path, checkpoint_path = os.path.join(given.run, "config.json"), os.path.join(given.run, "checkpoint.pt")
    if os.path.exists(config_path):
        with open(config_path, encoding="utf-8") as f:
            config = Config(**json.load(f))
    else:
        config = Config(**json.loads(given.config))
        with open(config_path, "w", encoding="utf-8") as f:
            json.dump(config.to_dict(), f, indent=1)
    net = DeepseekV3(config).to(device)
    print(json.dumps(net.sizes()), flush=True)
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=given.learning_rate, betas=(0.9, 0.95), eps=1e-8)
    step, epoch, skip, tokens, seconds = 0, 0, 0, 0, 0.0
    if os.path.exists(checkpoint_path):
        saved = torch.load(checkpoint_path, map_location=device)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        step, epoch, skip, tokens, seconds = (saved[k] for k in ("step", "epoch", "batch", "tokens", "seconds"))

    def save() -> None:
        if given.tie:
            with torch.no_grad():
                net.lm_head.weight.copy_(tied_head(net))
        torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "epoch": epoch, "batch": skip,
                    "tokens": tokens, "seconds": seconds, "seed": given.seed}, checkpoint_path + ".part")
        os.replace(checkpoint_path + ".part", checkpoint_path)

    texts = Texts(os.path.join(given.run, "data", "train.npz"))
    rare = texts.rare_tokens(config.vocab_size).to(device)
    log = open(os.path.join(given.run, "log.jsonl"), "a", encoding="utf-8")
    net.train()
    last_save = begun = time.monotonic()
    while step < given.steps:
        for index, (ids, valid) in enumerate(texts.batches(given.batch_tokens, f"{given.seed}/{epoch}")):
            if index < skip:
                continue
            while any(os.path.exists(path) for path in given.pause_while):
                time.sleep(5)
            started = time.monotonic()
            ids, valid = ids.to(device), valid.to(device)
            rate = learning_rate(step, given)
            weights = 1.0 + (given.repeat_weight - 1.0) * repeats(ids, rare).float()
            for group in optimizer.param_groups:
                group["lr"] = rate
            # The prediction module learns from every n-th batch: it shares embedding and head, and needs less.
            ahead = config.num_nextn_predict_layers > 0 and step % given.ahead_every == 0
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=given.bf16):
                main, late = losses(net, tied_head(net) if given.tie else net.lm_head.weight, ids, valid, weights, ahead)
            mixtures = [m for name, m in net.mixtures() if ahead or int(name) < config.num_hidden_layers]
            sequence = torch.stack([m.sequence_loss for m in mixtures]).mean()
            total = main + given.ahead_weight * late + given.sequence_weight * sequence
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            # As published, balancing stops before the end: the choice settles.
            if step < given.steps * (1 - given.decay / 2):
                for mixture in mixtures:
                    mixture.balance(given.bias_speed)
            step, skip, tokens = step + 1, index + 1, tokens + int(valid.sum())
            seconds += time.monotonic() - started
            if step % given.log_every == 0 or step == 1:
                worst = max(float(m.load.max() / m.load.mean()) for m in mixtures)
                line = {"step": step, "loss": float(main), "ahead": float(late) if ahead else None, "rate": rate, "norm": float(norm),
                        "fullest_expert": worst, "tokens": tokens, "seconds": round(seconds, 1)}
                log.write(json.dumps(line) + "\n")
                log.flush()
                print(json.dumps(line), flush=True)
            if time.monotonic() - last_save > given.save_seconds:
                save()
                last_save = time.monotonic()
            if step >= given.steps or (given.stop_after and time.monotonic() - begun > given.stop_after):
                save()
                return
        epoch, skip = epoch + 1, 0


def load(run: str, device: str = "cpu") -> DeepseekV3:
    """The network of a run's checkpoint, ready to measure."""
    with open(os.path.join(run, "config.json"), encoding="utf-8") as f:
        net = DeepseekV3(Config(**json.load(f)))
    net.load_state_dict(torch.load(os.path.join(run, "checkpoint.pt"), map_location=device)["net"])
    return net.to(device).eval()


@torch.no_grad()
def measure(net: DeepseekV3, texts: Texts, rare: Tensor, most_texts: int, device: str) -> Dict[str, Any]:
    """Over held-out texts: perplexity; of the rare tokens that come again, names mostly, how many are the best token, and their loss;
    how often the prediction module's best token is the main model's; each layer's load, with the learned bias and with none (the
    choice as the scores alone would make it). rare: Bool [V]."""
    ids_seen, names_seen, names_right, names_loss = 0, 0, 0, 0.0
    total, agreed, drafted = 0.0, 0, 0
    loads: Dict[str, Dict[str, Tensor]] = {"with_bias": {}, "without_bias": {}}
    mixtures = net.mixtures()
    biases = [m.e_score_correction_bias.clone() for _, m in mixtures]
    texts.spans = texts.spans[:most_texts]
    for setting in loads:
        for (_, mixture), bias in zip(mixtures, biases):
            mixture.e_score_correction_bias.copy_(bias if setting == "with_bias" else torch.zeros_like(bias))
        for ids, valid in texts.batches(4096, "measure"):
            ids, valid = ids.to(device), valid.to(device)
            states = net(ids, valid, ahead=True)
            for name, mixture in mixtures:
                loads[setting][name] = loads[setting].get(name, 0) + mixture.load
            if setting == "without_bias":
                continue
            here = valid[:, 1:]
            logits = net.lm_head(states.main).float()
            total += float(F.cross_entropy(logits[:, :-1][here], ids[:, 1:][here], reduction="sum"))
            ids_seen += int(here.sum())
            again = repeats(ids, rare)[:, 1:] & here
            said, asked = logits[:, :-1][again], ids[:, 1:][again]
            names_seen, names_right = names_seen + len(asked), names_right + int((said.argmax(-1) == asked).sum())
            names_loss += float(F.cross_entropy(said, asked, reduction="sum"))
            if states.ahead is not None:
                later = valid[:, 2:]
                draft = net.lm_head(states.ahead[:, :-1]).argmax(-1)
                agreed += int((draft == logits[:, 1:-1].argmax(-1))[later].sum())
                drafted += int(later.sum())
    for (_, mixture), bias in zip(mixtures, biases):
        mixture.e_score_correction_bias.copy_(bias)
    share = {s: {n: (v / v.sum()).tolist() for n, v in by_layer.items()} for s, by_layer in loads.items()}
    return {"texts": len(texts.spans), "tokens": ids_seen, "perplexity": math.exp(total / ids_seen),
            "names": {"tokens": names_seen, "right": names_right / max(names_seen, 1), "loss": names_loss / max(names_seen, 1)},
            "acceptance": agreed / max(drafted, 1), "load": share}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--most-texts", type=int, default=400, help="to measure")
    parser.add_argument("--config", default="{}", help="JSON of fields of Config that differ, for a new run")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="products in bfloat16")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=50)
    parser.add_argument("--decay", type=float, default=0.4, help="share of the steps over which the rate falls to zero")
    parser.add_argument("--tie", action="store_true", help="train the head as the embedding; they are stored apart")
    parser.add_argument("--repeat-weight", type=float, default=1.0, help="of rare tokens that a text had before: names, mostly")
    parser.add_argument("--ahead-weight", type=float, default=0.3)
    parser.add_argument("--ahead-every", type=int, default=4)
    parser.add_argument("--sequence-weight", type=float, default=1e-4)
    parser.add_argument("--bias-speed", type=float, default=1e-3)
    parser.add_argument("--log-every", type=int, default=10)
    parser.add_argument("--save-seconds", type=float, default=120)
    parser.add_argument("--stop-after", type=float, default=0, help="seconds; saves and ends")
    parser.add_argument("--pause-while", action="append", default=[], metavar="PATH", help="rest while this file exists (repeatable)")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    if not given.measure:
        train(given)
        return
    net = load(given.run, given.device)
    rare = Texts(os.path.join(given.run, "data", "train.npz")).rare_tokens(net.config.vocab_size).to(given.device)
    measured = measure(net, Texts(os.path.join(given.run, "data", "held_out.npz")), rare, given.most_texts, given.device)
    with open(os.path.join(given.run, "measured.json"), "w", encoding="utf-8") as out:
        json.dump(measured, out, indent=1)
    print(json.dumps({k: measured[k] for k in ("texts", "tokens", "perplexity", "names", "acceptance")}))


if __name__ == "__main__":
    main()
