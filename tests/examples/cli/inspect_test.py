"""fathom inspect: a checkpoint as JSON and as a table."""

import json
import math
import os
import shutil

from tool import FAILED, ToolTest, fixture, main


class Inspect(ToolTest):
    def test_json_describes_the_checkpoint(self):
        out = json.loads(self.succeed("inspect", fixture("deepseek-v3"), "--json", "--context", 100))
        self.assertEqual((out["family"], out["container"], out["runs"]), ("deepseek_v3", "huggingface", True))
        self.assertEqual(out["context_length"], 2560)
        self.assertEqual(out["weight_bytes"], sum(tensor["bytes"] for tensor in out["tensors"]))
        self.assertEqual(len(out["tensors"]), sum(total["count"] for total in out["formats"].values()))
        self.assertEqual(out["parameters"], sum(math.prod(tensor["shape"]) for tensor in out["tensors"]))
        # latent and rotary key, 32 + 16 values in each of 3 layers; F32, as the weights are floating
        self.assertEqual(out["cache_bytes_per_token"], 3 * 48 * 4)
        self.assertEqual(out["memory"]["cache_bytes"], 100 * out["cache_bytes_per_token"])
        self.assertGreater(out["memory"]["scratch_bytes"], 0)
        parts = [out["memory"][part] for part in ("weight_bytes", "cache_bytes", "scratch_bytes")]
        self.assertEqual(out["memory"]["total_bytes"], sum(parts))
        embedding = next(tensor for tensor in out["tensors"] if tensor["name"] == "model.embed_tokens.weight")
        self.assertEqual((embedding["shape"], embedding["bytes"] % (384 * 64)), ([384, 64], 0))
        configuration = out["configuration"]
        for name, kind in (("hidden_size", int), ("experts", int), ("rope_theta", (int, float)), ("softmax_scale", float),
                           ("norm_topk_prob", bool), ("router_score", str)):
            self.assertIsInstance(configuration[name], kind, name)
        self.assertEqual(configuration["hidden_size"], 64)

    def test_the_table_is_for_people(self):
        out = self.succeed("inspect", fixture("llama3"), "--tensors").decode()
        self.assertRegex(out, r"runs here +yes")
        self.assertIn("model.embed_tokens.weight", out)

    def test_what_does_not_run_is_described_with_the_reason(self):
        folder = self.path("unknown")
        shutil.copytree(fixture("llama3"), folder)
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        config.update(model_type="mamba", architectures=["MambaForCausalLM"])
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        out = json.loads(self.succeed("inspect", folder, "--json"))
        self.assertFalse(out["runs"])
        self.assertIn("amba", out["reason"])
        self.assertTrue(out["tensors"])
        self.refuse(FAILED, "generate", folder, "--tokens", "1", says="amba")


if __name__ == "__main__":
    main()
