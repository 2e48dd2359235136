"""Writes the measured parts of a model's card: FOLDER/README.md between `<!-- measured NAME -->` and `<!-- end -->`, and its two pictures.

    python3 card.py RUN FOLDER --fathom build/bin/fathom --perplexities perplexities.json --reading reading.json --held-out held_out.json

RUN is what train.py trained and measured (log.jsonl, measured.json), FOLDER its export with a README.md whose prose is a writer's and
stays. `--perplexities` is what tests/conformance/tales/perplexity_test.py prints, `--reading` what reading.py does. Samples come from
`fathom generate`, unedited; expert use from `fathom routes` over the tales in `--held-out`. A block that the card does not have, or one
nobody fills, is an error.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import tempfile
from typing import Any, Dict, List, Sequence

import pictures

BLOCK = re.compile(r"(<!-- measured ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TEMPERATURE, MOST_TOKENS = 0.7, 400
REQUESTS = ("Tell me a story about a rabbit named Pip.", "Tell me a story about Lily the fox.", "Tell me a story about Max and Rosie.",
            "Tell me a bedtime story about a bear and a mouse.", "Write a short story about a dragon who was afraid of the dark.",
            "Tell me a story about a turtle called Otto and a bird called Ivy.", "Please tell me a story about a kind robot.",
            "I would like a story about a penguin.", "Tell me a story in which a girl lost her kite.", "Tell me a story about the moon.")


def filled(card: str, blocks: Dict[str, str]) -> str:
    """The card with every block's content replaced. Throws ValueError where the card's blocks are not those of `blocks`."""
    names = [match.group(2) for match in BLOCK.finditer(card)]
    if sorted(names) != sorted(blocks):
        raise ValueError(f"the card has the blocks {sorted(names)}, measured were {sorted(blocks)}")
    return BLOCK.sub(lambda match: match.group(1) + blocks[match.group(2)].strip("\n") + "\n" + match.group(3), card)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "an unknown processor"


def architecture(config: Dict[str, Any], sizes: Dict[str, int], weight_bytes: int) -> str:
    c = config
    return table(("", ""), (
        ("parameters", f"{sizes['total'] / 1e6:.2f} million, of which a token meets {sizes['active'] / 1e6:.2f} million "
                       "(embedding not counted)"),
        ("in the prediction module", f"{sizes['prediction_module'] / 1e6:.2f} million"),
        ("model.safetensors", f"{weight_bytes / 1e6:.1f} MB"),
        ("layers", f"{c['num_hidden_layers']}, the first {c['first_k_dense_replace']} dense; hidden size {c['hidden_size']}"),
        ("attention", f"MLA, {c['num_attention_heads']} heads; ranks: queries {c['q_lora_rank']}, keys and values {c['kv_lora_rank']}; "
                      f"{c['qk_nope_head_dim']} + {c['qk_rope_head_dim']} (rotary) wide"),
        ("experts", f"{c['n_routed_experts']} in {c['n_group']} groups, {c['num_experts_per_tok']} chosen from {c['topk_group']} groups; "
                    f"{c['n_shared_experts']} shared; {c['moe_intermediate_size']} wide; sigmoid scores, bias for balance"),
        ("context", f"{c['max_position_embeddings']} tokens by YaRN (factor {c['yarn_factor']:g} over {c['yarn_original']}); "
                    "no text it learned from is longer than 400"),
        ("vocabulary", f"{c['vocab_size']}"), ("multi-token prediction", f"{c['num_nextn_predict_layers']} module")))


def training(log: Sequence[Dict[str, Any]], texts: Dict[str, List[int]], hardware: str) -> str:
    """texts: of "train" and "held_out", how many texts and tokens."""
    last = log[-1]
    recent = [line["loss"] for line in log[-50:]]
    return (f"{last['step']} steps, {last['tokens'] / 1e6:.2f} million tokens seen of a training part of {texts['train'][0]} texts "
            f"and {texts['train'][1] / 1e6:.2f} million tokens ({texts['held_out'][0]} more texts were held out), {last['seconds'] / 3600:.2f} "
            f"hours of the loop's own time, in float32, on one thread of {hardware}; no accelerator. Seed 1 for tales, weights and order. Loss of the last {len(recent)} "
            f"logged steps: {sum(recent) / len(recent):.3f} nats a token.\n\n"
            "![loss over tokens seen](loss.svg)")


def extremes(shares: Sequence[float]) -> str:
    most, least = max(range(len(shares)), key=shares.__getitem__), min(range(len(shares)), key=shares.__getitem__)
    return f"{shares[most]:.1%} (expert {most}), {shares[least]:.1%} (expert {least})"


def measurements(measured: Dict[str, Any], perplexities: Dict[str, float], held_out: Dict[str, Any]) -> str:
    load, names, reference = measured["load"], measured["names"], perplexities["framework"]
    rows = [("PyTorch, the FP8 weights in float32", f"{reference:.4f}", "")]
    rows += [(f"`fathom perplexity`, {name}", f"{perplexities[name]:.4f}", f"{perplexities[name] / reference - 1:+.3%}")
             for name in ("FP8", "Q8_0", "Q4_K")]
    layers = sorted(load["with_bias"], key=int)
    return "\n\n".join((
        f"Perplexity of {len(held_out['tales'])} held-out tales ({held_out['tokens']} tokens), each alone:",
        table(("", "perplexity", "apart"), rows),
        f"Over {measured['texts']} held-out texts with their requests and end tokens ({measured['tokens']} tokens), before the weights "
        f"became FP8, perplexity is {measured['perplexity']:.4f}. Of {names['tokens']} rare tokens that their text had before (names, "
        f"mostly) {names['right']:.1%} are the model's best token, at a loss of {names['loss']:.2f} nats. The prediction module's best token is the main model's for "
        f"{measured['acceptance']:.1%} of positions (PyTorch's number; fathom does not draft with it).",
        f"Most and least loaded expert of a layer there; an even share is {1 / len(load['with_bias'][layers[0]]):.2%}. \"Before\" is the "
        "choice that the same scores make without the learned bias; the last layer is the prediction module's:",
        table(("layer", "before balancing", "with the learned bias"),
              [(n, extremes(load["without_bias"][n]), extremes(load["with_bias"][n])) for n in layers])))


def read_by_script(reading: Dict[str, Any]) -> str:
    model, grammar = reading["model"], reading["grammar"]
    return (f"{reading['stories']} stories for new requests from the grammar, temperature {reading['temperature']}, seeds 1 to "
            f"{reading['stories']}, none left out; beside them the grammar's own tales of these requests (what the checks find there is "
            "theirs):\n\n" + table(("what `reading.py` finds", "model", "grammar"),
                                   [("nothing wrong" if fault == "none" else fault, n, grammar[fault]) for fault, n in model.items()]))


def texts_of(data: str) -> Dict[str, List[int]]:
    """Of a run's token files: texts and tokens of each part."""
    import numpy
    counts = {}
    for part in ("train", "held_out"):
        with numpy.load(os.path.join(data, part + ".npz")) as packed:
            counts[part] = [len(packed["ends"]), len(packed["ids"])]
    return counts


def experts(shares: Dict[int, List[float]], tales: int) -> str:
    rows = [(layer, extremes(row)) for layer, row in sorted(shares.items())]
    return (f"What `fathom routes` tells of {tales} held-out tales without requests:\n\n" + table(("layer", "most and least used"), rows)
            + "\n\n![use of each expert by layer](experts.svg)")


def samples(tool: str, folder: str) -> str:
    told = []
    for seed, request in enumerate(REQUESTS, 1):
        text = subprocess.run([tool, "generate", folder, "--chat", "--prompt", request, "--temperature", str(TEMPERATURE),
                               "--seed", str(seed), "--max-tokens", str(MOST_TOKENS)],
                              check=True, stdout=subprocess.PIPE).stdout.decode().strip()
        told.append(f"**{seed}. {request}** (`--seed {seed}`)\n\n" + "\n".join("> " + line if line else ">" for line in text.splitlines()))
    return "\n\n".join(told)


def routes_of(tool: str, folder: str, tales: Sequence[str]) -> List[Dict[str, Any]]:
    reports = []
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "routes.json")
        for tale in tales:
            subprocess.run([tool, "routes", folder, "--prompt", tale, "--output", path], check=True, stdout=subprocess.DEVNULL)
            with open(path, encoding="utf-8") as file:
                reports.append(json.load(file))
    return reports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder")
    parser.add_argument("--fathom", required=True)
    parser.add_argument("--perplexities", required=True, help="JSON")
    parser.add_argument("--reading", required=True, help="JSON")
    parser.add_argument("--held-out", required=True, help="held_out.json that compare.py wrote")
    parser.add_argument("--hardware", default=processor(), help="what the model was trained on, with an article")
    given = parser.parse_args()

    def read(*path: str) -> str:
        with open(os.path.join(*path), encoding="utf-8") as file:
            return file.read()

    from model import Config, DeepseekV3
    config, held_out = json.loads(read(given.run, "config.json")), json.loads(read(given.held_out))
    log = pictures.last_told([json.loads(line) for line in read(given.run, "log.jsonl").splitlines()])
    shares = pictures.expert_shares(routes_of(given.fathom, given.folder, held_out["tales"]))
    weights = os.path.join(given.folder, "model.safetensors")
    with open(weights, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    card = filled(read(given.folder, "README.md"), {
        "architecture": architecture(config, DeepseekV3(Config(**config)).sizes(), os.path.getsize(weights)),
        "training": training(log, texts_of(os.path.join(given.run, "data")), given.hardware),
        "measurements": measurements(json.loads(read(given.run, "measured.json")), json.loads(read(given.perplexities)), held_out),
        "reading": read_by_script(json.loads(read(given.reading))),
        "experts": experts(shares, len(held_out["tales"])),
        "samples": f"Of the model whose `model.safetensors` has the SHA-256 `{digest}`.\n\n" + samples(given.fathom, given.folder)})
    for name, content in (("README.md", card), ("loss.svg", pictures.loss_curve(log)), ("experts.svg", pictures.expert_map(shares))):
        with open(os.path.join(given.folder, name), "w", encoding="utf-8") as out:
            out.write(content)
    if f"Read for `{digest[:12]}`" not in card:
        print(f"the samples are new: read them, and say in the card's \"Limits\" what is wrong with them (Read for `{digest[:12]}`)")


if __name__ == "__main__":
    main()
