"""Sampling: what the checkpoint recommends, what the options say instead, and the seed that is drawn."""

import json
import os
import re

import tiny_gguf
from tool import OK, ToolTest, main, run

RECOMMENDED = {"do_sample": True, "temperature": 0.75, "top_k": 20, "top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.1}
GREEDY = {"temperature": 0, "top_k": 0, "top_p": 1, "min_p": 0, "repetition_penalty": 1, "frequency_penalty": 0, "presence_penalty": 0,
          "penalty_window": 256, "seed": 0}


class Sampling(ToolTest):
    def recommending(self, recommended):
        folder = self.text_model()
        with open(os.path.join(folder, "generation_config.json"), "w", encoding="ascii") as out:
            json.dump(recommended, out)
        return folder

    def generate(self, model, *flags):
        done = run("generate", model, "--prompt", "Hi", "--max-tokens", 12, "--ignore-eos", "--json", *flags)
        self.assertEqual(done.returncode, OK, done.stderr)
        return json.loads(done.stdout), done.stderr.decode()

    def test_nothing_recommended_is_greedy_and_silent(self):
        out, said = self.generate(self.text_model())
        self.assertEqual((out["sampling"], said), (GREEDY, ""))
        out, said = self.generate(self.recommending({"do_sample": False, "temperature": 0.7}))
        self.assertEqual((out["sampling"], said), (GREEDY, ""))

    def test_a_folder_recommends(self):
        out, said = self.generate(self.recommending(RECOMMENDED))
        self.assertEqual({name: out["sampling"][name] for name in RECOMMENDED if name != "do_sample"},
                         {name: value for name, value in RECOMMENDED.items() if name != "do_sample"})
        self.assertIn(f"seed {out['sampling']['seed']} ", said)
        self.assertIn("temperature 0.75", said)

    def test_a_gguf_file_recommends(self):
        def used_by(metadata):
            tiny_gguf.make(self.path("model.gguf"), metadata)
            done = run("generate", self.path("model.gguf"), "--tokens", "1,2,3", "--max-tokens", 4, "--json", "--seed", 0)
            self.assertEqual(done.returncode, OK, done.stderr)
            return json.loads(done.stdout)["sampling"]

        self.assertEqual(used_by({}), GREEDY)
        self.assertEqual(used_by({"general.sampling.temp": 0.5, "general.sampling.top_k": 30, "general.sampling.top_p": 0.75,
                                  "general.sampling.min_p": 0.125, "general.sampling.penalty_repeat": 1.25,
                                  "general.sampling.penalty_last_n": 64}),
                         {**GREEDY, "temperature": 0.5, "top_k": 30, "top_p": 0.75, "min_p": 0.125, "repetition_penalty": 1.25,
                          "penalty_window": 64})
        self.assertEqual(used_by({"general.sampling.temp": "hot", "general.sampling.top_k": -7, "general.sampling.top_p": 0.0}), GREEDY)

    def test_options_come_first(self):
        model = self.recommending(RECOMMENDED)
        out, said = self.generate(model, "--temperature", 0)
        self.assertEqual((out["sampling"]["temperature"], said), (0, ""))
        out, _ = self.generate(model, "--top-k", 0, "--top-p", 1, "--min-p", 0, "--repeat-penalty", 1, "--penalty-window", 16, "--seed", 9,
                               "--frequency-penalty", 0.5, "--presence-penalty", -0.25)
        self.assertEqual(out["sampling"], {**GREEDY, "temperature": 0.75, "penalty_window": 16, "seed": 9, "frequency_penalty": 0.5,
                                           "presence_penalty": -0.25})

    def test_the_seed_is_fresh_and_repeats_the_run(self):
        model = self.recommending({"do_sample": True, "temperature": 3})
        (first, said), (second, _) = self.generate(model), self.generate(model)
        self.assertNotEqual(first["sampling"]["seed"], second["sampling"]["seed"])
        seed = re.search(r"--seed (\d+) repeats", said).group(1)
        again, said = self.generate(model, "--seed", seed)
        self.assertEqual((again["tokens"], again["sampling"], said), (first["tokens"], first["sampling"], ""))

    def test_chat_draws_as_generate_does(self):
        model = self.recommending({"do_sample": True, "temperature": 3})
        talk = ("chat", model, "--max-tokens", 12)
        first = run(*talk, text=b"Hi\nAnd you?\n")
        self.assertEqual(first.returncode, OK, first.stderr)
        seed = re.fullmatch(rb"fathom: temperature 3, seed (\d+) .*\n", first.stderr).group(1).decode()
        again = run(*talk, "--seed", seed, text=b"Hi\nAnd you?\n")
        self.assertEqual((again.stdout, again.stderr), (first.stdout, b""))
        greedy = [run(*talk, "--temperature", 0, text=b"Hi\n") for _ in range(2)]
        self.assertEqual((greedy[0].stdout, greedy[0].stderr), (greedy[1].stdout, b""))

    def test_a_bad_recommendation_spoils_nothing(self):
        for name, value in (("temperature", -1), ("temperature", float("nan")), ("temperature", "hot"), ("top_p", 0), ("top_p", 7),
                            ("top_k", -5), ("top_k", 1.5), ("min_p", 2), ("repetition_penalty", 0), ("do_sample", "yes")):
            out, _ = self.generate(self.recommending({**RECOMMENDED, name: value}), "--seed", 1)
            used = out["sampling"]
            if name == "do_sample":
                self.assertEqual(used["temperature"], 0.75)
            else:
                default = {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "repetition_penalty": 1}[name]
                self.assertEqual(used[name], default, name)
                self.assertEqual(used["top_k"], 0 if name == "top_k" else 20)


if __name__ == "__main__":
    main()
