"""Writes a GGUF file of a Llama with one layer and random weights in F32, without tokenizer, for tests of what its metadata does.

make(path, metadata)     metadata: further keys; an int is stored as INT32, a float as FLOAT32, a str as STRING
"""

import random
import struct

VOCABULARY, HIDDEN, FEED_FORWARD, HEADS = 64, 32, 32, 2
UINT32, INT32, FLOAT32, STRING = 4, 5, 6, 8


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(name, value, kind=None):
    kind = kind or {int: INT32, float: FLOAT32, str: STRING}[type(value)]
    body = text(value) if kind == STRING else struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f"}[kind], value)
    return text(name) + struct.pack("<I", kind) + body


def tensors():
    """Name and shape, innermost dimension first as GGUF has it."""
    yield "token_embd.weight", (HIDDEN, VOCABULARY)
    yield "output.weight", (HIDDEN, VOCABULARY)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        yield name + ".weight", (HIDDEN,)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        yield f"blk.0.{name}.weight", (HIDDEN, HIDDEN)
    yield "blk.0.ffn_gate.weight", (HIDDEN, FEED_FORWARD)
    yield "blk.0.ffn_up.weight", (HIDDEN, FEED_FORWARD)
    yield "blk.0.ffn_down.weight", (FEED_FORWARD, HIDDEN)


def make(path, metadata):
    shape = {"block_count": 1, "context_length": 128, "embedding_length": HIDDEN, "feed_forward_length": FEED_FORWARD,
             "attention.head_count": HEADS, "attention.head_count_kv": HEADS, "rope.dimension_count": HIDDEN // HEADS,
             "vocab_size": VOCABULARY}
    entries = [entry("general.architecture", "llama"), entry("llama.attention.layer_norm_rms_epsilon", 1e-5),
               *(entry("llama." + name, value, UINT32) for name, value in shape.items()),
               *(entry(name, value) for name, value in metadata.items())]
    draw = random.Random(1)
    table, data = b"", b""
    for name, dimensions in tensors():
        count = 1
        for dimension in dimensions:
            count *= dimension
        table += text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, 0, len(data))
        data += struct.pack(f"<{count}f", *(draw.gauss(1 if len(dimensions) == 1 else 0, 0.3) for _ in range(count)))
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(list(tensors())), len(entries)) + b"".join(entries) + table
    with open(path, "wb") as out:
        out.write(head + bytes(-len(head) % 32) + data)
