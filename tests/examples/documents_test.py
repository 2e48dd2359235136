"""The documents: links lead somewhere, maps are short, and nothing cites what is not in the repository.

documents_test.py ROOT
"""

import os
import re
import sys
import unittest

ROOT = sys.argv[1]
# The most lines: of README.md, of CONTRIBUTING.md, and of the map of a folder.
LIMITS = {"README.md": 160, "CONTRIBUTING.md": 120}
MAP_LINES = 60
MANUALS = ("examples/engines/", "examples/models/")  # manuals and model cards are no maps
LEFT_OUT = re.compile(r"(^|/)(\.git|build[^/]*|target|__pycache__|data|corpus|[^/]*\.egg-info)(/|$)")
TEXTS = (".md", ".txt", ".cpp", ".hpp", ".c", ".h", ".py", ".sh", ".cmake", ".rs", ".cs", ".gd", ".toml", ".in", "/run")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
# Documents and folders of those who wrote the library, which a clone does not have.
CITED = re.compile(r"\bDESIGN\b|\bissue #?\d|\b[Ff]rictions?\.md\b|(?<![\w.])/?(?:\.\./)*shared/(?:bugs|spec|fixtures|hooks)\b|(?<!\w)/work/")


def files():
    for folder, folders, names in os.walk(ROOT):
        inside = os.path.relpath(folder, ROOT).replace(os.sep, "/")
        folders[:] = sorted(name for name in folders if not LEFT_OUT.search(name if inside == "." else f"{inside}/{name}"))
        for name in sorted(names):
            yield name if inside == "." else f"{inside}/{name}"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def without_code(text):
    """Markdown without fenced and indented blocks and without `code`."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^    .*$", "", text, flags=re.MULTILINE))


class DocumentsTest(unittest.TestCase):
    def setUp(self):
        self.paths = list(files())
        self.documents = [path for path in self.paths if path.endswith(".md")]
        self.assertGreater(len(self.documents), 20)

    def test_links_lead_somewhere(self):
        lost = []
        for path in self.documents:
            for target in LINK.findall(without_code(read(path))):
                if not re.match(r"\w+:", target) and not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                    lost.append(f"{path}: {target}")
        self.assertEqual(lost, [])

    def test_maps_are_short(self):
        for path in self.documents:
            limit = LIMITS.get(path)
            if path.endswith("/README.md") and not path.startswith(MANUALS):
                limit = MAP_LINES
            if limit:
                self.assertLessEqual(read(path).count("\n"), limit, path)

    def test_nothing_cites_what_a_clone_lacks(self):
        cited = [f"{path}: {match.group()}" for path in self.paths if path.endswith(TEXTS) and not path.endswith("documents_test.py")
                 for match in CITED.finditer(read(path))]
        self.assertEqual(cited, [])

    def test_the_patterns_find_what_they_are_for(self):
        for text in ("DESIGN's table", "see issue 22", "../shared/bugs/x", "/shared/spec", "/work/main"):
            self.assertRegex(text, CITED)
        for text in ("designed", "an issue of threads", "shared/", "libfathom.so shared library", "framework/work", "the tissue 3"):
            self.assertNotRegex(text, CITED)
        self.assertEqual(LINK.findall(without_code("[a](b.md#c) `[d](e)` [f](https://g)")), ["b.md", "https://g"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
