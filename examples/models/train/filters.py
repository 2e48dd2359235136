"""What is kept of the texts that a teacher wrote. Every filter says why it refuses a text, or None."""

import re
from typing import Callable, Iterable, List, Optional, Sequence, Set, Tuple

ALLOWED = re.compile(r"[A-Za-z0-9 .,;:!?'\"\n-]*\Z")
SENTENCE_END = re.compile(r"[.!?][\"']?\Z")
WORD = re.compile(r"[A-Za-z']+")
# Capitalised without being a name: what begins sentences and speech is found by place; these stand anywhere.
PLAIN_CAPITALS = {"I", "I'm", "I'll", "I've", "I'd", "Mother", "Father", "Mom", "Dad", "Mommy", "Daddy", "Grandma", "Grandpa", "Mr", "Mrs",
                  "Aunt", "Uncle", "May", "Joe", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "The", "End"}


def plain_characters(text: str) -> str:
    """Typographic quotes, dashes and dots as plain ones; blanks at line ends gone; at most one empty line in a row."""
    for fancy, plain in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'), ("\u2013", "-"), ("\u2014", " - "),
                         ("\u2026", "..."), ("\u00a0", " ")):
        text = text.replace(fancy, plain)
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r"\n\s*\n+", "\n\n", re.sub(r" *\n *", "\n", text)).strip()


def refuse_length(text: str, least: int = 60, most: int = 260) -> Optional[str]:
    count = len(WORD.findall(text))
    return None if least <= count <= most else f"{count} words"


def refuse_characters(text: str) -> Optional[str]:
    return None if ALLOWED.match(text) else "odd characters"


def refuse_ending(text: str) -> Optional[str]:
    if not SENTENCE_END.search(text):
        return "stops in the middle"
    return None if text.count('"') % 2 == 0 else "a quotation is open"


def repeated_share(text: str, n: int = 4) -> float:
    """The share of runs of `n` words that occurred before in the text; 0 for a text shorter than that."""
    words = [w.lower() for w in WORD.findall(text)]
    runs = [tuple(words[i:i + n]) for i in range(len(words) - n + 1)]
    return 1.0 - len(set(runs)) / len(runs) if runs else 0.0


def refuse_repetition(text: str, most: float = 0.08) -> Optional[str]:
    share = repeated_share(text)
    if share > most:
        return f"{share:.0%} of it repeats"
    sentences = [s.strip().lower() for s in re.split(r"[.!?\n]+", text) if s.strip()]
    return "a sentence comes twice" if len(set(sentences)) < len(sentences) else None


def names_in(text: str) -> Set[str]:
    """Capitalised words that do not begin a sentence or a quotation."""
    found = set()
    for match in re.finditer(r"[A-Z][a-z']+", text):
        before = text[:match.start()].rstrip(" ")
        word = re.sub(r"'s?$", "", match.group())
        if before and before[-1] not in ".!?\"'\n" and word not in PLAIN_CAPITALS:
            found.add(word)
    return found


def refuse_names(text: str, names: Sequence[str], least: int = 3) -> Optional[str]:
    """The hero, names[0], must stay in the tale to its end, and nobody may come in whom the prompt does not know."""
    if text.count(names[0]) < least:
        return "the hero is forgotten"
    if names[0] not in text[len(text) // 2:]:
        return "the hero leaves"
    strangers = names_in(text) - set(names)
    return f"strangers: {', '.join(sorted(strangers))}" if strangers else None


def refuse(text: str, names: Sequence[str]) -> Optional[str]:
    """The first reason not to keep `text`, None for a good one."""
    checks: Tuple[Callable[[], Optional[str]], ...] = (
        lambda: refuse_characters(text), lambda: refuse_length(text), lambda: refuse_ending(text),
        lambda: refuse_repetition(text), lambda: refuse_names(text, names))
    for check in checks:
        reason = check()
        if reason:
            return reason
    return None


class NearDuplicates:
    """Finds texts that are mostly made of runs of words seen before, over a whole corpus. Holds one hash a run."""

    def __init__(self, n: int = 6, most: float = 0.5) -> None:
        self.n, self.most = n, most
        self.seen: Set[int] = set()

    def is_new(self, text: str) -> bool:
        """Whether at most `most` of its runs were in texts that were new before; then it is remembered."""
        words = [w.lower() for w in WORD.findall(text)]
        runs = {hash(tuple(words[i:i + self.n])) for i in range(max(len(words) - self.n + 1, 1))}
        if len(runs & self.seen) > self.most * len(runs):
            return False
        self.seen |= runs
        return True


def split_held_out(keys: Iterable[str], share: float = 0.02) -> List[bool]:
    """For each key whether it is held out. Decided by the key alone, so a corpus that grows keeps its split."""
    import hashlib
    limit = int(share * 2**32)
    return [int.from_bytes(hashlib.sha256(k.encode()).digest()[:4], "big") < limit for k in keys]
