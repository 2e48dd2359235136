"""Reads many stories of a model as far as a script can: whether names are kept and whether they end.

    python3 reading.py FOLDER --fathom build/bin/fathom --stories 100     # prints JSON

Requests are new ones from the grammar (tales.py), seeds 1 to N. What a script cannot see (who speaks, what follows from what) is left to
a reader. `grammar` holds the same counts for the grammar's own tales of these requests: what the checks say of texts that are right.
"""

import argparse
import json
import random
import re
import subprocess
from typing import Dict, List, Sequence, Set

import filters
import tales

KIND_FIRST = re.compile(r"([a-z]+) (?:named|called) ([A-Z][a-z]+)")
NAME_FIRST = re.compile(r"([A-Z][a-z]+) the ([a-z]+)")


def kinds(text: str) -> Dict[str, Set[str]]:
    """What each name is said to be: "a fox named Max", "Max the fox"."""
    found: Dict[str, Set[str]] = {}
    for kind, name in KIND_FIRST.findall(text):
        found.setdefault(name, set()).add(kind)
    for name, kind in NAME_FIRST.findall(text):
        if name not in found and name not in filters.names_in(text):
            continue  # "At the top"
        found.setdefault(name, set()).add(kind)
    return found


def faults(text: str, asked: Sequence[str]) -> List[str]:
    """Of one story, the names its request asked for: which of these are wrong, each at most once."""
    found = []
    if filters.refuse_ending(text):
        found.append("unfinished")
    if any(name not in text for name in asked):
        found.append("an asked name is missing")
    if any(len(kind) > 1 for kind in kinds(text).values()):
        found.append("one name for two animals")
    if len(filters.names_in(text)) > 2:
        found.append("a third name")
    if filters.refuse_repetition(text, most=1.0):
        found.append("a sentence comes twice")
    return found


def counted(texts: Sequence[str], asked: Sequence[Sequence[str]]) -> Dict[str, int]:
    """How many texts have each fault, and how many have none."""
    counts = {"none": 0, "unfinished": 0, "an asked name is missing": 0, "one name for two animals": 0, "a third name": 0,
              "a sentence comes twice": 0}
    for text, names in zip(texts, asked):
        for fault in faults(text, names) or ["none"]:
            counts[fault] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--fathom", required=True)
    parser.add_argument("--stories", type=int, default=100)
    parser.add_argument("--temperature", type=float, default=0.7)
    given = parser.parse_args()
    told = [tales.tell(random.Random(f"reading/{i}")) for i in range(1, given.stories + 1)]
    asked = [[name for name in tale.names if re.search(rf"\b{name}\b", tale.request)] for tale in told]
    texts = []
    for seed, tale in enumerate(told, 1):
        run = subprocess.run([given.fathom, "generate", given.folder, "--chat", "--prompt", tale.request, "--temperature",
                              str(given.temperature), "--seed", str(seed), "--max-tokens", "400"], check=True, stdout=subprocess.PIPE)
        texts.append(run.stdout.decode().strip())
    print(json.dumps({"stories": given.stories, "temperature": given.temperature, "model": counted(texts, asked),
                      "grammar": counted([tale.text for tale in told], asked)}))


if __name__ == "__main__":
    main()
