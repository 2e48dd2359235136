"""What a script can see wrong with a story."""

import random
import unittest

import reading
import tales

GOOD = 'One day, a fox named Max met Ivy the bird. "Come in, Ivy," said Max. They ate bread. The end.'


class Faults(unittest.TestCase):
    def test_a_good_story_has_none(self):
        self.assertEqual(reading.faults(GOOD, ("Max", "Ivy")), [])

    def test_each_fault_is_named_alone(self):
        for text, fault in ((GOOD[:-1], "unfinished"), (GOOD.replace("Ivy", "Max"), "one name for two animals"),
                            (GOOD.replace("They ate", "Then Otto ate"), "a third name"),
                            (GOOD.replace("They ate bread.", "They ate bread. They ate bread."), "a sentence comes twice")):
            with self.subTest(fault=fault):
                self.assertEqual(reading.faults(text, ("Max",)), [fault])
        self.assertEqual(reading.faults(GOOD, ("Max", "Pip")), ["an asked name is missing"])

    def test_kinds_are_found_in_both_orders(self):
        self.assertEqual(reading.kinds("A bear called Bo met Bo the owl and Amy the cat."), {"Bo": {"bear", "owl"}, "Amy": {"cat"}})

    def test_counts_are_of_texts_and_a_text_may_have_two_faults(self):
        counts = reading.counted([GOOD, GOOD[:-1], GOOD[:-1]], [("Max",), ("Max",), ("Pip",)])
        self.assertEqual((counts["none"], counts["unfinished"], counts["an asked name is missing"]), (1, 2, 1))

    def test_the_grammar_never_gives_one_name_to_two_animals(self):
        for i in range(500):
            tale = tales.tell(random.Random(f"reading/{i}"))
            with self.subTest(text=tale.text):
                self.assertNotIn("one name for two animals", reading.faults(tale.text, ()))


if __name__ == "__main__":
    unittest.main()
