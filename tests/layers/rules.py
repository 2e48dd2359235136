"""The rules that check_layers.py holds the sources to, as tables. lib/README.md explains them to readers."""
import re

# Folder of lib/ -> the folders below it that it may include. Its own is always allowed.
LAYERS = {
    "base": [],
    "platform": ["base"],
    "io": ["base", "platform"],
    "quant": ["base", "platform"],
    "kernels": ["base"],
    "backend": ["base", "platform", "quant", "kernels"],
    "nn": ["base", "backend", "kernels"],
    "model": ["base", "platform", "io", "quant", "backend", "nn"],
    "text": ["base", "io"],
    "chat": ["base", "io", "text"],
    "run": ["base", "platform", "io", "model", "nn", "text", "chat"],
}

# Folder -> the folders that it must not include, but that headers it includes bring along.
BRINGS = {
    "backend": [],
    "nn": ["platform", "quant"],
    "model": ["kernels"],
    "text": ["platform"],
    "chat": ["platform"],
    "run": ["backend", "kernels", "quant"],
}

# Folder -> names that it may use of a folder that it must not include.
# Matrices, products and activations of the kernels are the vocabulary of backend/ and nn/; the passes hand them on.
NAMES = {
    "model": {"kernels": {"KernelTable", "WeightRows", "InterleaveRows", "Bf16Rows", "QuantisedRows", "kInterleavedRows", "kBf16Rows", "kBf16Terms"}},
    "run": {"backend": {"Engine"}},
}

# Folder -> its namespace. The types of the other folders stand in `fathom` itself, and are known by where they are declared.
NAMESPACES = {"io": "io", "quant": "quant", "kernels": "kernels", "nn": "nn", "model": "model", "text": "text", "chat": "chat"}

# Parts of lib/model -> the parts that they may include. A path belongs to the longest prefix that it begins with. A part that
# ends in /* stands for each folder below it, and those do not include each other. What several of them share lies beside them: a
# longer prefix. A file of no part is free.
MECHANISMS = ["attention/*", "feed_forward/*", "residual/*"]
BELOW = ["config", "tensors", "pass", "mechanism"]
SHARED = ["attention/attention_", "feed_forward/gated_mlp", "residual/residual_names"]
PARTS = {
    "config": [],
    "tensors": ["config"],
    # A network is made of mechanisms, and a mechanism's stages run in a pass: these two headers know each other's names.
    "pass": ["config", "mechanism"],
    "mechanism": ["config", "pass"],
    "attention/attention_": BELOW,
    "feed_forward/gated_mlp": BELOW,
    "residual/residual_names": BELOW,
    "attention/*": [*BELOW, "attention/attention_"],
    "feed_forward/*": [*BELOW, "feed_forward/gated_mlp"],
    "residual/*": [*BELOW, "residual/residual_names"],
    "ends": BELOW,
    "families": [*BELOW, *SHARED, *MECHANISMS],
    "load": [*BELOW, *SHARED, *MECHANISMS, "ends", "families"],
}

# Instruction-set files share no inline function with anybody: this, intrinsics and <stdint.h> are all they see, and headers
# of their own that hold nothing but such code. storage_format_list.hpp is macros alone.
ISA_FILE = re.compile(r"(avx|amx|neon|sve|q8|^fixed_point)")
ISA_MAY = re.compile(
    r"^(kernels/kernel_table\.hpp|base/storage_format_list\.hpp|kernels/(avx|amx|neon|sve|q8)\w*\.hpp|\w*intrin\.h|arm_neon\.h|stdint\.h)$")

# Outside things, where their headers may appear, and in how many files at most.
OUTSIDE = [
    ("Eigen", re.compile(r"^Eigen/"), re.compile(r"^lib/backend/eigen\w*\.cpp$"), 1),
    ("oneDNN", re.compile(r"dnnl"), re.compile(r"^lib/backend/onednn\w*\.cpp$"), 1),
    ("simdjson", re.compile(r"^simdjson"), re.compile(r"^lib/io/json\.cpp$"), 1),
    ("PCRE2", re.compile(r"^pcre2"), re.compile(r"^lib/text/\w+\.cpp$"), 1),
    ("utf8proc", re.compile(r"^utf8proc"), re.compile(r"^lib/text/\w+\.cpp$"), 1),
    ("the operating system", re.compile(r"^(sys/|linux/|mach/|windows\.h|unistd\.h|fcntl\.h|pthread\.h|sched\.h|dlfcn\.h|signal\.h)"),
     re.compile(r"^lib/platform/"), None),
    ("a stream that prints", re.compile(r"^(iostream|cstdio|stdio\.h|print)$"), re.compile(r"^$"), None),
]
