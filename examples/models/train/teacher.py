"""Has a small instruct model write tales, many at once, through fathom's batch. Appends to a JSON-lines file and goes on there.

    FATHOM_LIBRARY=build/lib/libfathom.so PYTHONPATH=capi/python \\
      python3 examples/models/train/teacher.py MODEL.gguf corpus/teacher.jsonl --tales 20000

Each line: {"key", "request", "opening", "text", "names", "stop", "refused": reason or null}. The prompt shows two finished tales
(tales.py), so that the teacher keeps to short sentences; that part is computed once and shared by all sessions. The third tale's
opening is given, the teacher goes on from it.
"""

import argparse
import json
import os
import random
import time
from typing import Any, Dict, List, Optional

import fathom

import filters
import tales

SYSTEM = "You write very short stories for small children, in easy words and short sentences."


class Writer:
    """A batch of sessions that all begin with the same examples. `slots` tales are under way at a time."""

    def __init__(self, model: Any, slots: int, sampling: Dict[str, Any], seed: int, max_new_tokens: int) -> None:
        self.model, self.sampling, self.seed, self.max_new_tokens = model, sampling, seed, max_new_tokens
        rng = random.Random(f"{seed}/examples")
        self.messages = [{"role": "system", "content": SYSTEM}]
        for _ in range(2):
            example = tales.tell(rng)
            self.messages += [{"role": "user", "content": example.request}, {"role": "assistant", "content": example.text}]
        self.prefix = model.encode_chat(self.messages, generation_prompt=False)
        self.root = model.session(context_length=len(self.prefix) + max_new_tokens + 200, **sampling)
        self.root.append(self.prefix)
        self.root.step(0)
        self.batch = fathom.Batch(model, rows=max(256, slots), sessions=slots)
        self.slots = slots
        self.under_way: List[Dict[str, Any]] = []

    def begin(self, key: str) -> None:
        tale = tales.tell(random.Random(key))
        tokens = self.model.encode_chat(self.messages + [{"role": "user", "content": tale.request}])
        assert tokens[:len(self.prefix)] == self.prefix, "the examples must be the beginning of every prompt"
        session = self.root.fork()
        session.set_sampling(seed=random.Random(f"{key}/draws").getrandbits(63), **self.sampling)
        session.append(tokens[len(self.prefix):] + self.model.encode(tale.opening))
        self.batch.add(session)
        self.under_way.append({"key": key, "tale": tale, "session": session, "made": 0})

    def step(self) -> List[Dict[str, Any]]:
        """One token for everybody; returns the records of those that ended."""
        self.batch.step(1)
        ended = []
        for one in list(self.under_way):
            result = self.batch.result(one["session"])
            one["made"] += result.new_tokens
            if not result.stop and one["made"] < self.max_new_tokens:
                continue
            self.batch.remove(one["session"])
            self.under_way.remove(one)
            tale = one["tale"]
            text = filters.plain_characters(tale.opening + one["session"].read_text())
            one["session"].close()
            reason: Optional[str] = filters.refuse(text, tale.names) if result.stop == "stop_token" else "does not end"
            ended.append({"key": one["key"], "request": tale.request, "opening": tale.opening, "text": text, "names": list(tale.names),
                          "tokens": one["made"], "stop": result.stop, "refused": reason})
        return ended


def lines_in(path: str) -> int:
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as lines:
        return sum(1 for _ in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("--tales", type=int, default=20000, help="stop when the file has so many lines")
    parser.add_argument("--slots", type=int, default=24, help="tales under way at a time")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-new-tokens", type=int, default=280)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--repetition-penalty", type=float, default=1.15)
    parser.add_argument("--pause-while", action="append", default=[], metavar="PATH", help="rest while this file exists (repeatable)")
    given = parser.parse_args()

    model = fathom.Model(given.model, fathom.Runtime(threads=given.threads))
    sampling = dict(temperature=given.temperature, top_p=given.top_p, repetition_penalty=given.repetition_penalty, penalty_window=160)
    os.makedirs(os.path.dirname(os.path.abspath(given.corpus)), exist_ok=True)
    done = lines_in(given.corpus)
    begun = done  # tales that were under way when a run ended are written anew under later keys
    run = f"{given.seed}/{time.strftime('%Y%m%d%H%M%S')}"
    writer = Writer(model, given.slots, sampling, given.seed, given.max_new_tokens)
    tokens, kept, since = 0, 0, time.monotonic()
    with open(given.corpus, "a", encoding="utf-8") as corpus:
        while done < given.tales:
            while any(os.path.exists(path) for path in given.pause_while):
                time.sleep(5)
            while len(writer.under_way) < given.slots and begun < given.tales + given.slots:
                writer.begin(f"{run}/{begun}")
                begun += 1
            for record in writer.step():
                corpus.write(json.dumps(record) + "\n")
                corpus.flush()
                done, tokens, kept = done + 1, tokens + record["tokens"], kept + (record["refused"] is None)
                if done % 50 == 0:
                    print(f"{done} tales, {kept} of this run kept, {tokens / (time.monotonic() - since):.1f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
