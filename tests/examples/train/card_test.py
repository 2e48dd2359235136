"""The model's card and its pictures: what is measured goes where it belongs, and nothing is left as it was by accident."""

import re
import unittest
import xml.etree.ElementTree

import card
import pictures

USE = {"use": [{"layer": 1, "most_used": 2, "least_used": 0, "choices": [0, 1, 3]},
               {"layer": 2, "most_used": 0, "least_used": 1, "choices": [4, 0, 0]}]}


class Blocks(unittest.TestCase):
    CARD = "# A\n<!-- measured one -->\nold\n<!-- end -->\nprose\n<!-- measured two -->\n<!-- end -->\n"

    def test_contents_are_replaced_and_prose_stays(self):
        once = card.filled(self.CARD, {"one": "new", "two": "text\n"})
        self.assertEqual(once, "# A\n<!-- measured one -->\nnew\n<!-- end -->\nprose\n<!-- measured two -->\ntext\n<!-- end -->\n")
        self.assertEqual(card.filled(once, {"one": "new", "two": "text"}), once)

    def test_a_backslash_in_a_sample_stays_one(self):
        self.assertIn("a\\1b", card.filled(self.CARD, {"one": "a\\1b", "two": ""}))

    def test_a_block_without_a_place_or_without_content_is_an_error(self):
        for blocks in ({"one": ""}, {"one": "", "two": "", "three": ""}):
            with self.assertRaises(ValueError):
                card.filled(self.CARD, blocks)


class Numbers(unittest.TestCase):
    def test_the_extremes_of_a_layer_are_named(self):
        self.assertEqual(card.extremes([0.25, 0.6, 0.15]), "60.0% (expert 1), 15.0% (expert 2)")

    def test_every_measurement_is_in_its_block(self):
        load = {"1": [0.1, 0.9], "10": [0.5, 0.5]}
        measured = {"texts": 7, "tokens": 99, "perplexity": 1.2345, "acceptance": 0.875, "names": {"tokens": 44, "right": 0.5, "loss": 0.625},
                    "load": {"with_bias": load, "without_bias": load}}
        told = card.measurements(measured, {"framework": 2.0, "FP8": 2.001, "Q8_0": 1.999, "Q4_K": 2.1}, {"tales": ["a", "b"], "tokens": 55})
        for part in ("2 held-out tales (55 tokens)", "| 2.0010 | +0.050% |", "| 1.9990 | -0.050% |", "| 2.1000 | +5.000% |", "7 held-out texts",
                     "1.2345", "87.5%", "Of 44 rare tokens", "50.0% are", "0.62 nats", "50.00%", "| 10 | 50.0% (expert 0), 50.0% (expert 0) |"):
            self.assertIn(part, told)
        self.assertLess(told.index("| 1 |"), told.index("| 10 |"))

    def test_training_tells_the_end_of_the_log(self):
        log = [{"step": 10 * i, "loss": 9.0 if i < 50 else 0.5, "tokens": 1000 * i, "seconds": 36.0 * i} for i in range(100)]
        told = card.training(log, {"train": [70, 2_000_000], "held_out": [3, 9]}, "a small processor")
        for part in ("990 steps", "0.10 million tokens", "70 texts and 2.00 million", "(3 more texts", "0.99 hours",
                     "one thread of a small processor;", "0.500 nats"):
            self.assertIn(part, told)

    def test_what_the_script_read_stands_beside_the_grammar(self):
        told = card.read_by_script({"stories": 9, "temperature": 0.7, "model": {"none": 7, "unfinished": 2},
                                    "grammar": {"none": 8, "unfinished": 1}})
        for part in ("9 stories", "seeds 1 to 9", "| nothing wrong | 7 | 8 |", "| unfinished | 2 | 1 |"):
            self.assertIn(part, told)


class Pictures(unittest.TestCase):
    def test_shares_of_several_reports_are_those_of_their_sum(self):
        self.assertEqual(pictures.expert_shares([USE, USE, {"use": [{"layer": 1, "choices": [4, 0, 0]}]}]),
                         {1: [4 / 12, 2 / 12, 6 / 12], 2: [1.0, 0.0, 0.0]})

    def test_the_map_has_a_cell_for_each_expert_and_the_darkest_is_the_most_used(self):
        drawn = pictures.expert_map(pictures.expert_shares([USE]))
        xml.etree.ElementTree.fromstring(drawn)
        tones = [int(tone) for tone in re.findall(r'fill="rgb\((\d+),', drawn)]
        self.assertEqual(len(tones), 6)
        self.assertEqual(min(range(6), key=tones.__getitem__), 3, "layer 2, expert 0")

    def test_steps_that_were_done_again_count_as_they_were_done_last(self):
        log = [{"step": step, "loss": loss} for step, loss in ((1, 9), (2, 8), (3, 7), (2, 6), (3, 5), (4, 4))]
        self.assertEqual([(line["step"], line["loss"]) for line in pictures.last_told(log)], [(1, 9), (2, 6), (3, 5), (4, 4)])

    def test_a_loss_curve_leaves_out_what_was_not_measured(self):
        drawn = pictures.loss_curve([{"tokens": 1e6 * i, "loss": 5 - i, "ahead": 6 - i if i % 2 else None} for i in range(1, 5)])
        xml.etree.ElementTree.fromstring(drawn)
        self.assertEqual([len(line.split()) for line in re.findall(r'points="([^"]*)"', drawn)], [4, 2])


if __name__ == "__main__":
    unittest.main()
