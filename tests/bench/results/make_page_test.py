"""What make_page.py accepts of a data file, and which figures reach README."""

import tempfile
import unittest
from pathlib import Path

import make_page

HEAD = ["# machine: EPYC", "# date: 2026-11-28", "\t".join(make_page.COLUMNS)]
ROW = dict(work="V2-Lite shape, Q4_K_M mix: generation", command="compare.sh", fathom="12.5", unit="tok/s", peer="10.0", peer_version="peer 1",
           ratio="1.25", rounds="3: 1.2, 1.25, 1.3", note="")


def line(**changes):
    return "\t".join({**ROW, **changes}.values())


class DataFileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def read(self, *rows, head=HEAD, name="epyc-2026-11-28.tsv"):
        path = self.folder / name
        path.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
        return make_page.read_file(path)

    def refused(self, words, *rows, **more):
        with self.assertRaises(make_page.Wrong) as caught:
            self.read(*rows, **more)
        self.assertIn(words, str(caught.exception))

    def test_a_right_file_is_read(self):
        data = self.read(line(), line(fathom="1,250", peer="1,000"), line(fathom="7.8 to 12.5"), line(peer="", peer_version="", ratio="", rounds=""))
        self.assertEqual((data["machine"], data["date"], len(data["rows"])), ("EPYC", "2026-11-28", 4))

    def test_a_ratio_follows_from_its_figures(self):
        self.refused("ratio is 1.30", line(ratio="1.30"))
        self.refused("ratio is 0.80", line(ratio="0.80"))
        self.read(line(fathom="2.4", peer="0.7", ratio="3.5"))  # as far as rounded figures tell
        self.refused("a ratio needs a peer", line(peer="", peer_version=""))

    def test_cells_that_are_missing_are_named(self):
        for column in ("work", "command", "fathom", "unit"):
            self.refused(f"{column} is empty", line(**{column: ""}))
        self.refused("expected a number", line(fathom="fast"))
        self.refused("go together", line(peer_version=""))
        self.refused("8 cells, expected 9", line().rpartition("\t")[0])
        self.refused("rounds is", line(rounds="3: 1.2, 1.3"))

    def test_a_file_says_whose_and_when_it_is(self):
        self.refused("date in its name", line(), name="epyc-2026-11-29.tsv")
        self.refused("needs machine and date", line(), head=HEAD[1:])
        self.refused("columns are", line(), head=[*HEAD[:2], HEAD[2].replace("unit\t", "")])
        self.refused("has no rows")

    def test_the_page_has_every_row_and_command(self):
        data = self.read(line(note="a | b"), line(command="another"))
        text = make_page.section(data)
        self.assertIn("## EPYC, 2026-11-28", text)
        self.assertIn(r"| a \| b | 1 |", text)
        self.assertIn("2. `another`", text)

    def test_readme_shows_the_newest_date_and_the_nearest_peer(self):
        works = ["prompt of 512", "generation", "generation at 4,096 tokens"]
        rows = [line(work=f"{make_page.MODEL}: {work}") for work in works]
        new = self.read(*rows, line(fathom="8.0", peer="8.0", ratio="1.00"), line(peer="2.5", peer_version="peer 2", ratio="5.0"))
        old = self.read(*[line(work=f"{make_page.MODEL}: {work}", fathom="99", peer="99", ratio="1.0") for work in works],
                        head=[HEAD[0], "# date: 2026-11-01", HEAD[2]], name="epyc-2026-11-01.tsv")
        table = make_page.speed_table([new, old])
        self.assertEqual(table.splitlines()[2], "| EPYC | 12.5 tok/s, **1.25** | 8.0 to 12.5 tok/s, **1.00 to 1.25** | 12.5 tok/s, **1.25** | 2026-11-28 |")

    def test_only_the_table_of_readme_changes(self):
        text = f"before\n{make_page.BEGIN}\nold\n{make_page.END}\nafter"
        self.assertEqual(make_page.renewed(text, "new"), text.replace("old", "new"))
        with self.assertRaises(make_page.Wrong):
            make_page.renewed("no table", "new")


if __name__ == "__main__":
    unittest.main()
