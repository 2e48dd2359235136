"""fathom bench: runs, their numbers, and the sizes it chooses."""

import json

from tool import FAILED, ToolTest, USAGE, fixture, main


class Bench(ToolTest):
    def bench(self, name, *flags):
        return json.loads(self.succeed("bench", fixture(name), "--json", *flags))

    def test_every_combination_is_run_and_its_numbers_agree(self):
        out = self.bench("deepseek-v3", "-p", "16,8", "-n", 4, "-d", "0,20", "-t", "2,1", "-b", "1,3", "-r", 3, "--ceiling-mb", 0)
        runs = [(run["kind"], run["threads"], run["tokens"], run["depth"], run["sessions"]) for run in out["runs"]]
        expected = []
        for threads in (1, 2):
            expected += [("prompt", threads, tokens, 0, 1) for tokens in (8, 16)]
            expected += [("generation", threads, 4, depth, sessions) for sessions in (1, 3) for depth in (0, 20)]
        self.assertEqual(runs, expected)
        model = out["model"]
        for run in out["runs"]:
            rates, each = run["tokens_per_s"], sorted(run["repetitions"])
            self.assertEqual(len(each), 3)
            self.assertEqual((rates["min"], rates["max"]), (each[0], each[-1]))
            self.assertAlmostEqual(rates["median"], each[1], delta=1e-6 * each[1])
            # the parts are all of the time, summed over the repetitions
            us = run["us_per_token"]
            self.assertEqual(list(us), ["attention", "router", "experts", "mlp", "head", "other", "outside"])
            self.assertGreater(min(us[part] for part in ("attention", "router", "experts", "mlp", "head", "other")), 0)
            mean_us = sum(1e6 / rate for rate in each) / 3
            self.assertAlmostEqual(sum(us.values()), mean_us, delta=1e-3 * mean_us)
            heads = run["tokens"] * run["sessions"] if run["kind"] == "generation" else 1
            tokens = run["tokens"] * run["sessions"]
            products = model["multiply_adds_per_token"] + model["head_multiply_adds"] * heads / tokens
            self.assertAlmostEqual(run["gop_per_s"], 2e-9 * products * rates["median"], delta=1e-6 * run["gop_per_s"])
            self.assertIsNone(run["share_of_dot_products"])
            self.assertEqual("gb_per_s" in run, run["kind"] == "generation")
        self.assertGreater(out["load_ms"], 0)
        self.assertGreaterEqual(out["peak_resident_bytes"], out["resident_bytes"])
        self.assertEqual(out["ceilings"], [])
        # too small a model to time anything
        self.assertEqual(out["streams"], [{"threads": 1, "prefetch": "builtin"}, {"threads": 2, "prefetch": "builtin"}])

    def test_the_bytes_of_a_token_are_those_of_the_tensors_it_reads(self):
        for name, experts, used in (("deepseek-v3", 16, 4), ("mixtral", 6, 2), ("llama3", 0, 0)):
            tensors = json.loads(self.succeed("inspect", fixture(name), "--json"))
            out = self.bench(name, "-p", 4, "-n", 2, "-d", 6, "-t", 1, "-r", 1, "--ceiling-mb", 0)
            shared = routed = 0
            for tensor in tensors["tensors"]:
                if len(tensor["shape"]) != 2 or "embed_tokens" in tensor["name"]:
                    continue
                if ".experts." in tensor["name"]:
                    routed += tensor["bytes"]
                else:
                    shared += tensor["bytes"]
            embedding = next(tensor for tensor in tensors["tensors"] if tensor["name"] == "model.embed_tokens.weight")
            row = embedding["bytes"] // embedding["shape"][0]
            model = out["model"]
            self.assertEqual(model["expert_bytes_per_token"], routed * used // max(experts, 1), name)
            self.assertEqual(model["bytes_per_token"], shared + routed * used // max(experts, 1) + row, name)
            generation = out["runs"][1]
            self.assertEqual(generation["weight_bytes_per_token"], model["bytes_per_token"])
            self.assertEqual(generation["cache_bytes_per_token"], 7.5 * model["cache_bytes_per_position"])  # 7 rows, then 8

    def test_sessions_together_read_shared_weights_once_and_some_experts_twice(self):
        out = self.bench("deepseek-v3", "-p", 0, "-n", 6, "-t", 1, "-b", "1,4", "-d", 0, "-r", 1, "--ceiling-mb", 0)
        alone, together = (run["weight_bytes_per_token"] * run["sessions"] for run in out["runs"])
        experts = out["model"]["expert_bytes_per_token"]
        self.assertGreater(together, alone + 0.5 * experts)
        out = self.bench("deepseek-v3", "-p", 0, "-n", 6, "-t", 1, "-b", "1,4", "-d", 0, "-r", 1, "--ceiling-mb", 0, "--same-text")
        alone, together = (run["weight_bytes_per_token"] * run["sessions"] for run in out["runs"])
        row = alone - out["model"]["bytes_per_token"]
        self.assertAlmostEqual(together, alone, delta=abs(row) + 0.05 * experts, msg="the same texts choose the same experts")
        self.assertLess(together, alone + 3 * experts)

    def test_ceilings_are_measured_where_the_cpu_is_known(self):
        out = self.bench("llama3", "-p", 8, "-n", 0, "-t", "1,2", "-r", 1, "--ceiling-mb", 64)
        self.assertEqual([ceiling["threads"] for ceiling in out["ceilings"]], [1, 2])
        for ceiling in out["ceilings"]:
            self.assertGreater(ceiling["read_gb_per_s"]["median"], 0.05)
            self.assertLess(ceiling["read_gb_per_s"]["best"], 10000)
            for kind in ("int8", "bf16", "f32"):
                rate = ceiling[kind + "_gop_per_s"]
                self.assertEqual(rate is None, out["instructions"][kind] == "")
                if rate:
                    self.assertGreater(rate["best"], 1)
                    self.assertLessEqual(rate["median"], rate["best"])
        share = out["runs"][0]["share_of_dot_products"]
        rate = out["ceilings"][0][out["dot_products"] + "_gop_per_s"]
        if rate:
            self.assertAlmostEqual(share, out["runs"][0]["gop_per_s"] / rate["best"], places=6)
        else:
            self.assertIsNone(share)

    def test_the_table_is_for_people(self):
        out = self.succeed("bench", fixture("mixtral"), "-p", 8, "-n", 2, "-d", 4, "-b", 2, "-t", 1, "-r", 2, "--ceiling-mb", 0).decode()
        self.assertRegex(out, r"\nprompt 8 +1 +[\d.]+ ")
        self.assertRegex(out, r"\ngenerate 2 at 4 by 2 +1 +[\d.]+ ")
        self.assertRegex(out, r"not measured")
        self.assertRegex(out, r"\nstreams +1 thread: builtin\n")
        self.assertRegex(out, r"\nmemory +\d+ MB")

    def test_the_choice_of_streams_can_be_given(self):
        self.bench("mixtral", "-p", 4, "-n", 0, "-t", 1, "-r", 1, "--ceiling-mb", 0, "--streams", "Q4_K=none,8k,tile")
        self.refuse(FAILED, "bench", fixture("mixtral"), "-p", 4, "-n", 0, "--streams", "Q4_K=never", says="never")

    def test_what_does_not_fit_is_refused(self):
        self.refuse(FAILED, "bench", fixture("llama3"), "-p", 2000, "-n", 0, "--ceiling-mb", 0, says="1024")
        self.refuse(FAILED, "bench", fixture("llama3"), "-p", 0, "-n", 5, "-d", 1020, "--ceiling-mb", 0, says="1025")
        self.refuse(USAGE, "bench", fixture("llama3"), "-p", 0, "-n", 0, says="nothing to measure")
        self.refuse(USAGE, "bench", fixture("llama3"), "-t", 0, says="-t")

    def test_sizes_that_nobody_asked_for_are_fitted_to_the_context_of_1024(self):
        prompts, generation = [("prompt", 128, 0), ("prompt", 512, 0)], ("generation", 64, 0)
        for flags, expected in (((), [*prompts, generation]),
                                (("-n", 2), [*prompts, ("generation", 2, 0)]),
                                (("-p", 16), [("prompt", 16, 0), generation]),
                                (("-p", 1024), [("prompt", 1024, 0), generation]),
                                (("-p", 0, "-d", 1000), [("generation", 24, 1000)]),
                                (("-p", 0, "-d", "0,1000"), [("generation", 24, 0), ("generation", 24, 1000)]),
                                (("-p", 0, "-n", 1000), [("generation", 1000, 0)]),
                                (("-d", 8), [*prompts, ("generation", 64, 8)])):
            out = self.bench("llama3", *flags, "-t", 1, "-r", 1, "--ceiling-mb", 0)
            self.assertEqual([(run["kind"], run["tokens"], run["depth"]) for run in out["runs"]], expected, flags)

    def test_sizes_that_were_asked_for_fit_or_fail(self):
        for flags, length in ((("-p", "16,1025"), 1025), (("-d", 1024), 1025), (("-n", 1025), 1025), (("-n", 25, "-d", 1000), 1025)):
            self.refuse(FAILED, "bench", fixture("llama3"), *flags, "-t", 1, "-r", 1, "--ceiling-mb", 0, says=f"{length} tokens")


if __name__ == "__main__":
    main()
