"""The texts that a model is trained on: tales from the grammar, and what is kept of a teacher's."""

import random
import re
import unittest

import filters
import plots
import tales

GOOD = ("Once upon a time, there was a little rabbit named Pip. Pip lived in a hole. One day, Pip saw a kite in the tree. It was red. "
        "\"How can I reach it?\" asked Pip. Mia the owl heard him. \"I can fly,\" she said. She flew up and pulled the string. The kite came "
        "down. Pip jumped for joy. They let it fly until the sun was gone. That night, Pip dreamed of the wind.")
NAMES = ("Pip", "Mia")


class Tales(unittest.TestCase):
    def test_the_same_seed_tells_the_same_tale_and_another_a_different_one(self):
        told = [tales.tell(random.Random(seed)) for seed in ("a", "a", "b")]
        self.assertEqual(told[0], told[1])
        self.assertNotEqual(told[0].text, told[2].text)

    def test_two_thousand_tales_leave_no_template_behind_and_keep_to_their_names(self):
        for i in range(2000):
            tale = tales.tell(random.Random(f"test/{i}"))
            with self.subTest(i=i, text=tale.text):
                self.assertIsNone(re.search(r"[{}\[\]|]|  | [.,!?]|[.,!?],|\ba [aeiou]", tale.text + tale.request))
                self.assertTrue(tale.text.startswith(tale.opening))
                self.assertIsNone(filters.refuse_ending(tale.text))
                self.assertIsNone(filters.refuse_characters(tale.text))
                self.assertGreaterEqual(tale.text.count(tale.names[0]), 2)
                self.assertEqual(filters.names_in(tale.text) - set(tale.names), set(), "somebody whom the prompt does not know")

    def test_every_plot_is_told(self):
        told = {tales.tell(random.Random(f"plot/{i}")).plot for i in range(400)}
        self.assertEqual(told, set(plots.PLOTS))

    def test_a_template_with_an_unknown_slot_is_an_error(self):
        with self.assertRaises(KeyError):
            tales.expand("[{nobody}]", {}, random.Random(0))

    def test_choices_inside_choices_are_decided(self):
        seen = {tales.expand("[a[b|c]|d]", {}, random.Random(i)) for i in range(60)}
        self.assertEqual(seen, {"ab", "ac", "d"})


class Filters(unittest.TestCase):
    def test_a_good_text_is_kept(self):
        self.assertIsNone(filters.refuse(GOOD, NAMES))

    def test_each_fault_is_named(self):
        for text, reason in (
                (GOOD[:100] + ".", "words"), (GOOD * 5, "words"), (GOOD.replace("kite", "k\u00eete", 1), "odd characters"),
                (GOOD[:-1], "stops in the middle"), (GOOD.replace('fly,"', "fly,"), "quotation"),
                (GOOD + " The kite came down.", "comes twice"), (GOOD.replace("heard him", "heard Otto"), "strangers: Otto"),
                (GOOD.replace("Pip", "it"), "forgotten"),
                (" ".join(["Pip ran to the old green tree and sat under it."] * 7), "repeats")):
            with self.subTest(reason=reason):
                self.assertIn(reason, filters.refuse(text, NAMES) or "kept")

    def test_a_hero_who_is_gone_in_the_second_half_leaves(self):
        half = len(GOOD) // 2
        self.assertEqual(filters.refuse_names(GOOD[:half] + GOOD[half:].replace("Pip", "he") + " " * 40, NAMES), "the hero leaves")

    def test_names_are_found_inside_sentences_only(self):
        self.assertEqual(filters.names_in('Then Tom met Ann. Birds sang. "Hello," said Bob\'s cat at Uncle Joe\'s.'), {"Tom", "Ann", "Bob"})

    def test_typographic_characters_become_plain(self):
        self.assertEqual(filters.plain_characters("\u201cWait\u2026\u201d  \n\n\n he\u2019s "), "\"Wait...\"\n\nhe's")

    def test_repetition_is_counted_in_runs_of_words(self):
        self.assertEqual(filters.repeated_share("one two three"), 0.0)
        self.assertEqual(filters.repeated_share("a b c d e f g h"), 0.0)
        self.assertAlmostEqual(filters.repeated_share("a b c d a b c d"), 0.2)  # five runs of four, the last one known

    def test_near_duplicates_are_found_and_new_texts_are_not(self):
        seen = filters.NearDuplicates()
        self.assertTrue(seen.is_new(GOOD))
        self.assertFalse(seen.is_new(GOOD.replace("kite", "ball", 1)))
        self.assertTrue(seen.is_new("A very different text about the sea, where a whale named Otto sang to the moon every night."))

    def test_the_split_depends_on_the_key_alone_and_has_its_share(self):
        keys = [f"key/{i}" for i in range(5000)]
        held = filters.split_held_out(keys, 0.1)
        self.assertEqual(held[::-1], filters.split_held_out(keys[::-1], 0.1))
        self.assertTrue(400 < sum(held) < 600, sum(held))  # 500, four standard deviations of 21 each way


if __name__ == "__main__":
    unittest.main()
