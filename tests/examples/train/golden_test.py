"""model.py against the reference implementation's numbers: the network that is trained is DeepSeek-V3, prediction module included.

golden_test.py TRAIN_FOLDER CONFORMANCE_DATA
"""

import json
import os
import sys

recipe, data = sys.argv[1:3]
sys.path.insert(0, recipe)

import torch  # noqa: E402

import export  # noqa: E402
import storage  # noqa: E402
from model import Config  # noqa: E402

TOLERANCE = 1e-3  # of the fixtures, for float32 on the stored weights


def config_of(folder: str) -> Config:
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        told = json.load(file)
    scaling = told["rope_scaling"]
    assert scaling["type"] == "yarn" and scaling["mscale"] == scaling["mscale_all_dim"]
    return Config(yarn_factor=scaling["factor"], yarn_original=scaling["original_max_position_embeddings"],
                  yarn_beta_fast=scaling["beta_fast"], yarn_beta_slow=scaling["beta_slow"], yarn_mscale=scaling["mscale"],
                  **{field: told[field] for field in Config().to_dict() if not field.startswith("yarn_")})


for name in ("deepseek-v3-mtp", "deepseek-v3-fp8"):
    folder = os.path.join(data, name)
    net = export.read_back(folder, config_of(folder))
    golden = storage.read_safetensors(os.path.join(folder, "golden.safetensors"))
    checked = 0
    with torch.no_grad():
        for prompt in ("p0", "p1", "p2"):
            ids = torch.from_numpy(golden[prompt + ".input_ids"]).long()[None]
            logits = net.logits(ids)[0]
            if prompt + ".logits_at" in golden:
                logits = logits[torch.from_numpy(golden[prompt + ".logits_at"]).long()]
            apart = float((logits - torch.from_numpy(golden[prompt + ".logits"])).abs().max())
            assert apart < TOLERANCE, f"{name} {prompt}: logits {apart} apart"
            checked += 1
            if prompt + ".mtp.logits" in golden and ids.shape[1] > 1:
                ahead = net.lm_head(net(ids, ahead=True).ahead)[0]
                apart = float((ahead - torch.from_numpy(golden[prompt + ".mtp.logits"])).abs().max())
                assert apart < TOLERANCE, f"{name} {prompt}: the prediction module's logits {apart} apart"
                checked += 1
    assert checked == 4, f"{name}: {checked} comparisons, expected three prompts and one with the prediction module's logits"
    # What is written again under the export's rules has the names and types of the original.
    def kinds(path: str) -> dict:
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return {key: (entry["dtype"], tuple(entry["shape"])) for key, entry in header.items() if key != "__metadata__"}
    if name.endswith("fp8"):
        written = {key: (kind, array.shape) for key, (kind, array) in export.stored(net).items()}
        assert written == kinds(os.path.join(folder, "model.safetensors")), "the export does not have the released form"
        told = export.huggingface_config(net.config)
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            reference = json.load(file)
        different = {key: (told.get(key), value) for key, value in reference.items() if told.get(key) != value}
        assert set(different) <= {"ep_size", "transformers_version"}, different
    print(f"{name}: {checked} comparisons within {TOLERANCE}")
