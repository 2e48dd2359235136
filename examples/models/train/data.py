"""From texts to what training reads: a corpus of tales, a tokenizer of its own, token files.

    python3 data.py tales     CORPUS/tales.jsonl --count 60000
    python3 data.py tokenizer CORPUS/*.jsonl --out RUN/tokenizer
    python3 data.py pack      CORPUS/*.jsonl --tokenizer RUN/tokenizer --out RUN/data

A text is <begin> request-turn tale <end>, with the request in DeepSeek-V3's chat format for two of three; the others are the tale alone.
"""

import argparse
import json
import os
import random
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import filters

BEGIN, END, PAD, USER, ASSISTANT = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>"
MARKERS = (BEGIN, END, PAD, USER, ASSISTANT)  # ids 0 to 4
# How text is cut before it becomes tokens: a word with the blank in front of it, one digit, a run of other characters.
PIECES = r" ?[A-Za-z]+|'[a-z]+|\d| ?[^\sA-Za-z\d]+|\s+"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}"
    "{% else %}{{ '<｜Assistant｜>' + message['content'] + eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}")


def records(paths: Sequence[str]) -> Iterator[Dict[str, Any]]:
    """What was kept, without near duplicates among the teacher's texts: the grammar repeats itself by design."""
    fresh = filters.NearDuplicates()
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if record.get("refused") is None and ("stop" not in record or fresh.is_new(record["text"])):
                    yield record


def write_tales(path: str, count: int, seed: int) -> None:
    import tales
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            key = f"tale/{seed}/{i}"
            tale = tales.tell(random.Random(key))
            out.write(json.dumps({"key": key, "request": tale.request, "text": tale.text, "plot": tale.plot}) + "\n")


def train_tokenizer(paths: Sequence[str], folder: str, size: int, most_texts: int) -> int:
    """Byte-level BPE, saved as tokenizer.json and tokenizer_config.json. Returns how many tokens it has. What the filters refused
    helps here: its words are words."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    def texts() -> Iterator[str]:
        for path in paths:
            with open(path, encoding="utf-8") as lines:
                for _, line in zip(range(most_texts), lines):
                    record = json.loads(line)
                    yield record["request"]
                    yield record["text"]

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PIECES), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(MARKERS), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    tokenizer.train_from_iterator(texts(), trainer)
    os.makedirs(folder, exist_ok=True)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    config = {"add_bos_token": True, "add_eos_token": False, "bos_token": BEGIN, "eos_token": END, "pad_token": PAD,
              "clean_up_tokenization_spaces": False, "model_max_length": 2048, "tokenizer_class": "PreTrainedTokenizerFast",
              "chat_template": CHAT_TEMPLATE}
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as out:
        json.dump(config, out, ensure_ascii=False, indent=2)
    return tokenizer.get_vocab_size()


def as_ids(tokenizer: Any, record: Dict[str, Any], with_request: bool) -> List[int]:
    """Markers are put in as ids; what a text spells is never one."""
    begin, end, _, user, assistant = range(len(MARKERS))
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    ids = [begin]
    if with_request:
        ids += [user] + encode(record["request"]) + [assistant]
    return ids + encode(record["text"]) + [end]


def pack(paths: Sequence[str], tokenizer_folder: str, folder: str, longest: int) -> Dict[str, Tuple[int, int]]:
    """Writes train.npz and held_out.npz: `ids` uint16 one after the other, `ends` int64, where each text ends. Returns texts and
    tokens of each."""
    import numpy
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(tokenizer_folder, "tokenizer.json"))
    ids: Dict[str, List[int]] = {"train": [], "held_out": []}
    ends: Dict[str, List[int]] = {"train": [], "held_out": []}
    held_out_texts = []
    for record in records(paths):
        held = filters.split_held_out([record["key"]])[0]
        tokens = as_ids(tokenizer, record, with_request=random.Random(record["key"]).random() < 2 / 3)
        if len(tokens) > longest:
            continue
        part = "held_out" if held else "train"
        ids[part] += tokens
        ends[part].append(len(ids[part]))
        if held:
            held_out_texts.append(record["text"])
    os.makedirs(folder, exist_ok=True)
    for part in ids:
        numpy.savez(os.path.join(folder, part + ".npz"), ids=numpy.array(ids[part], numpy.uint16), ends=numpy.array(ends[part], numpy.int64))
    with open(os.path.join(folder, "held_out.json"), "w", encoding="utf-8") as out:
        json.dump(held_out_texts, out)
    return {part: (len(ends[part]), len(ids[part])) for part in ids}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("tales", help="write tales from the grammar")
    made.add_argument("path")
    made.add_argument("--count", type=int, default=60000)
    made.add_argument("--seed", type=int, default=1)
    learned = commands.add_parser("tokenizer", help="train a tokenizer")
    learned.add_argument("paths", nargs="+")
    learned.add_argument("--out", required=True)
    learned.add_argument("--size", type=int, default=4096)
    learned.add_argument("--most-texts", type=int, default=20000, help="of each file")
    packed = commands.add_parser("pack", help="turn texts into token files, held-out part apart")
    packed.add_argument("paths", nargs="+")
    packed.add_argument("--tokenizer", required=True)
    packed.add_argument("--out", required=True)
    packed.add_argument("--longest", type=int, default=400, help="texts of more tokens are left out")
    given = parser.parse_args()
    if given.command == "tales":
        write_tales(given.path, given.count, given.seed)
    elif given.command == "tokenizer":
        print(train_tokenizer(given.paths, given.out, given.size, given.most_texts), "tokens")
    else:
        for part, (texts, tokens) in pack(given.paths, given.tokenizer, given.out, given.longest).items():
            print(f"{part}: {texts} texts, {tokens} tokens")


if __name__ == "__main__":
    main()
