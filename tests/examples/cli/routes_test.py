"""fathom routes: experts against the goldens."""

import json

from tool import FAILED, ToolTest, fixture, golden, ids, main


class Routes(ToolTest):
    def test_routes_are_the_goldens(self):
        for name, cache in (("deepseek-v3", "f32"), ("mixtral", "f32")):
            values = golden(name)
            tokens = values["p1.input_ids"][1]
            path = self.path("routes.json")
            self.succeed("routes", fixture(name), "--tokens", ids(tokens), "--output", path, "--cache", cache)
            with open(path, encoding="utf-8") as file:
                out = json.load(file)
            layers = sorted(int(tensor.split(".")[2]) for tensor in values if tensor.startswith("p1.router.") and tensor.endswith(".ids"))
            self.assertEqual(out["layers"], layers)
            self.assertEqual([token["token"] for token in out["tokens"]], list(tokens))
            for position, token in enumerate(out["tokens"]):
                self.assertEqual(token["position"], position)
                self.assertEqual([route["layer"] for route in token["routes"]], layers)
                for route in token["routes"]:
                    (_, chosen), (shape, expected) = (values[f"p1.router.{route['layer']:02}.{what}"] for what in ("ids", "weights"))
                    row = slice(position * shape[1], (position + 1) * shape[1])
                    self.assertEqual(route["experts"], list(chosen[row]))
                    for weight, golden_weight in zip(route["weights"], expected[row], strict=True):
                        self.assertAlmostEqual(weight, golden_weight, delta=1e-4)

    def test_each_layers_use_is_that_of_its_tokens_and_the_extremes_are_named(self):
        for name, experts in (("deepseek-v3", 16), ("mixtral", 6)):
            tokens = ids(golden(name)["p1.input_ids"][1])
            path = self.path("routes.json")
            told = self.succeed("routes", fixture(name), "--tokens", tokens, "--output", path).decode().splitlines()
            with open(path, encoding="utf-8") as file:
                out = json.load(file)
            self.assertEqual([use["layer"] for use in out["use"]], out["layers"])
            self.assertEqual(len(told), len(out["layers"]))
            for line, use in zip(told, out["use"]):
                chosen = [expert for token in out["tokens"] for route in token["routes"] if route["layer"] == use["layer"]
                          for expert in route["experts"]]
                choices = [chosen.count(expert) for expert in range(experts)]
                self.assertEqual(use["choices"], choices, name)
                self.assertEqual(choices[use["most_used"]], max(choices))
                self.assertEqual(choices[use["least_used"]], min(choices))
                self.assertGreater(max(choices), min(choices), "else the extremes would prove nothing")
                words = line.replace(",", "").replace("(", "").split()
                self.assertEqual((words[:2], words[words.index("most") + 3], words[words.index("least") + 3]),
                                 (["layer", str(use["layer"])], str(use["most_used"]), str(use["least_used"])))
                for word, count in (("most", max(choices)), ("least", min(choices))):
                    self.assertAlmostEqual(float(words[words.index(word) + 4]), 100 * count / len(chosen), delta=0.006)
                self.assertIn(f"even share {100 / experts:5.2f} %", line)

    def test_on_standard_output_there_is_json_alone(self):
        out = json.loads(self.succeed("routes", fixture("mixtral"), "--tokens", "1,2"))
        self.assertEqual(len(out["use"]), len(out["layers"]))

    def test_a_dense_model_has_none(self):
        self.refuse(FAILED, "routes", fixture("llama3"), "--tokens", "1", says="no experts")

    def test_standard_output_is_the_default(self):
        self.assertEqual(len(json.loads(self.succeed("routes", fixture("mixtral"), "--tokens", "1,2"))["tokens"]), 2)


if __name__ == "__main__":
    main()
