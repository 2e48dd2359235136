"""Pictures for the model card, as SVG: the loss while training, and which experts a model uses.

    python3 pictures.py loss RUN/log.jsonl loss.svg
    fathom routes FOLDER --prompt "$(cat story.txt)" --output routes.json    # prints the most and least used expert of each layer
    python3 pictures.py experts routes.json more.json experts.svg            # one picture of all of them

Expert use is told by `fathom routes`; a cell is the share of a layer's choices that fell on an expert.
"""

import argparse
import json
import math
from typing import Dict, List, Sequence, Tuple

INK, LINE, MAIN, AHEAD = "#222222", "#dddddd", "#1f6fb4", "#c8642a"


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{INK}">{text}</text>'


def _page(width: float, height: float, parts: Sequence[str]) -> str:
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" font-family="sans-serif">'
            f'<rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n")


def smoothed(values: Sequence[float], window: int) -> List[float]:
    """Running means over `window` values, shorter at the beginning."""
    return [sum(values[max(0, i + 1 - window):i + 1]) / min(i + 1, window) for i in range(len(values))]


def last_told(lines: Sequence[Dict[str, float]]) -> List[Dict[str, float]]:
    """A log without the steps that were done again from an earlier checkpoint: of each step what was told last."""
    kept: List[Dict[str, float]] = []
    for line in reversed(lines):
        if not kept or line["step"] < kept[-1]["step"]:
            kept.append(line)
    return kept[::-1]


def loss_curve(lines: Sequence[Dict[str, float]], window: int = 10) -> str:
    """Loss over tokens seen: the next token's, and the prediction module's."""
    curves: List[Tuple[str, str, List[Tuple[float, float]]]] = []
    for key, name, colour in (("loss", "next token", MAIN), ("ahead", "the token after it", AHEAD)):
        seen = [line for line in lines if line.get(key) is not None]
        if seen:
            curves.append((name, colour, list(zip([line["tokens"] / 1e6 for line in seen], smoothed([line[key] for line in seen], window)))))
    most_x = max(x for _, _, curve in curves for x, _ in curve)
    most_y = math.ceil(max(y for _, _, curve in curves for _, y in curve))
    left, top, width, height = 50.0, 20.0, 560.0, 260.0
    place = lambda x, y: (left + width * x / most_x, top + height * (1 - y / most_y))
    parts = []
    for y in range(most_y + 1):
        _, at = place(0, y)
        parts.append(f'<path d="M{left} {at:.1f}h{width}" stroke="{LINE}"/>' + _text(left - 8, at + 4, str(y), "end"))
    for i in range(6):
        at, _ = place(most_x * i / 5, 0)
        parts.append(_text(at, top + height + 18, f"{most_x * i / 5:.2g}"))
    for row, (name, colour, curve) in enumerate(curves):
        points = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<path d="M{left + width - 150} {top + 16 + 18 * row}h24" stroke="{colour}" stroke-width="3"/>'
                     + _text(left + width - 120, top + 20 + 18 * row, name, "start"))
    parts.append(_text(left + width / 2, top + height + 36, "million tokens seen") + _text(left, 12, "nats a token", "start"))
    return _page(left + width + 20, top + height + 46, parts)


def expert_shares(reports: Sequence[Dict]) -> Dict[int, List[float]]:
    """From reports of `fathom routes` on one model: for each layer with experts, each expert's share of all choices."""
    counts: Dict[int, List[int]] = {}
    for report in reports:
        for use in report["use"]:
            row = counts.setdefault(use["layer"], [0] * len(use["choices"]))
            counts[use["layer"]] = [a + b for a, b in zip(row, use["choices"])]
    return {layer: [n / max(1, sum(row)) for n in row] for layer, row in counts.items()}


def expert_map(shares: Dict[int, List[float]]) -> str:
    """A row for each layer, a column for each expert; darker is more used."""
    cell, left, top = 30.0, 70.0, 30.0
    count = len(next(iter(shares.values())))
    darkest = max(max(row) for row in shares.values())
    parts = [_text(left + cell * count / 2, 14, "share of a layer's choices, in percent; a column for each expert")]
    for y, (layer, row) in enumerate(sorted(shares.items())):
        parts.append(_text(left - 8, top + cell * y + 19, f"layer {layer}", "end"))
        for x, share in enumerate(row):
            tone = round(255 - 215 * share / darkest)
            parts.append(f'<rect x="{left + cell * x}" y="{top + cell * y}" width="{cell - 1}" height="{cell - 1}" fill="rgb({tone},{tone},255)"/>'
                         f'<text x="{left + cell * (x + 0.5)}" y="{top + cell * y + 19}" font-size="10" text-anchor="middle" '
                         f'fill="{"white" if tone < 130 else INK}">{share * 100:.1f}</text>')
    parts += [_text(left + cell * (x + 0.5), top + cell * len(shares) + 14, str(x)) for x in range(count)]
    return _page(left + cell * count + 20, top + cell * len(shares) + 24, parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("loss", "experts"))
    parser.add_argument("sources", nargs="+")
    parser.add_argument("picture")
    given = parser.parse_args()
    texts = []
    for path in given.sources:
        with open(path, encoding="utf-8") as source:
            texts.append(source.read())
    if given.kind == "loss":
        drawn = loss_curve(last_told([json.loads(line) for text in texts for line in text.splitlines()]))
    else:
        drawn = expert_map(expert_shares([json.loads(text) for text in texts]))
    with open(given.picture, "w", encoding="utf-8") as out:
        out.write(drawn)


if __name__ == "__main__":
    main()
