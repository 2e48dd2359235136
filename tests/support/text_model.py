"""Gives a tiny fixture model a tokenizer, so that tests can go from text to text.

text_model.py FIXTURE FOLDER [PROGRAM...]    makes FOLDER, then runs PROGRAM with FOLDER as its last argument

The tokenizer is byte-level BPE without merges: token 2 + b is byte b, and above those stand ChatML's control tokens.
"""

import json
import os
import shutil
import subprocess
import sys

BOS, EOS = "<s>", "</s>"
IM_START, IM_END = "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def byte_characters():
    """GPT-2's printable stand-in for each byte."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def special(token_id, content):
    return {"id": token_id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True}


def tokenizer():
    characters = byte_characters()
    vocabulary = {BOS: 0, EOS: 1, **{characters[byte]: 2 + byte for byte in range(256)}, IM_START: 258, IM_END: 259}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special(vocabulary[name], name) for name in (BOS, EOS, IM_START, IM_END)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": BOS, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {BOS: {"id": BOS, "ids": [0], "tokens": [BOS]}},
        },
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []},
    }


def make(fixture, folder):
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(fixture):
        if name == "config.json" or name.startswith("model"):
            shutil.copyfile(os.path.join(fixture, name), os.path.join(folder, name))
    settings = {"bos_token": BOS, "eos_token": IM_END, "chat_template": CHATML, "tokenizer_class": "PreTrainedTokenizerFast"}
    for name, content in (("tokenizer.json", tokenizer()), ("tokenizer_config.json", settings)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(content, out)


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2])
    if len(sys.argv) > 3:
        sys.exit(subprocess.run([*sys.argv[3:], sys.argv[2]], check=False).returncode)
