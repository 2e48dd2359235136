"""Whole tales out of plots and words: the plain part of the corpus, and the examples that the teacher imitates.

    python3 tales.py 3 --seed 1        # prints three
"""

import argparse
import random
import re
from typing import Dict, NamedTuple, Tuple

import plots
import words

OBJECT = {"he": "him", "she": "her"}
OWNER = {"he": "his", "she": "her"}
INNERMOST = re.compile(r"\[([^\[\]]*)\]")


class Tale(NamedTuple):
    request: str        # what a reader asks for
    opening: str        # the first sentences
    text: str           # the whole tale, opening included
    plot: str           # key of plots.PLOTS
    names: Tuple[str, ...]  # who must be in it


def with_article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def expand(template: str, slots: Dict[str, str], rng: random.Random) -> str:
    """Decides every `[a|b]`, innermost first, then fills every `{slot}`. Throws KeyError for a slot there is not."""
    while True:
        match = INNERMOST.search(template)
        if match is None:
            break
        template = template[:match.start()] + rng.choice(match.group(1).split("|")) + template[match.end():]
    text = re.sub(r"\{(\w+)\}", lambda m: slots[m.group(1)], template)
    return re.sub(r" +", " ", text).strip()


def draw_slots(rng: random.Random) -> Dict[str, str]:
    """The words of one tale: hero, friend, elder, guide, things and places, all different where that matters."""
    he, he_f = rng.choice(("he", "she")), rng.choice(("he", "she"))
    name = rng.choice(words.NAMES[he])
    friend = rng.choice([n for n in words.NAMES[he_f] if n[0] != name[0]])
    kind = rng.choice([k for k in words.HEROES if (k, he) not in (("boy", "she"), ("girl", "he"))])
    fkind = rng.choice([k for k in words.HEROES if k != kind and (k, he_f) not in (("boy", "she"), ("girl", "he"))])
    elder, guide = rng.choice(list(words.ELDERS)), rng.choice(list(words.GUIDES))
    spots, places = rng.sample(words.INSIDE + words.OUTSIDE, 3), rng.sample(words.PLACES, 2)
    outside = rng.choice(words.OUTSIDE)
    colour, toy, food = rng.choice(words.COLOURS), rng.choice(words.TOYS), rng.choice(words.FOODS)
    fear = rng.choice(list(words.FEARS))
    he_e = words.ELDERS[elder]
    slots = dict(
        name=name, Name=name, kind=kind, home=words.HEROES[kind], he=he, He=capital(he), him=OBJECT[he], his=OWNER[he],
        His=capital(OWNER[he]), friend=friend, fkind=fkind, he_f=he_f, He_f=capital(he_f), his_f=OWNER[he_f], him_f=OBJECT[he_f],
        His_f=capital(OWNER[he_f]), elder=elder, he_e=he_e, his_e=OWNER[he_e], him_e=OBJECT[he_e], guide=guide,
        a_guide=with_article(guide), spot1=spots[0], spot2=spots[1], spot3=spots[2], place=places[0], place2=places[1],
        inside=rng.choice(words.INSIDE), outside=outside, outside_cap=capital(outside), own={"he": "his", "she": "hers"}[he],
         colour=colour, a_colour=with_article(colour), toy=toy, food=food, food_a=with_article(food),
        fear=fear, fearline=words.FEARS[fear])
    for slot, choices in (("trait", words.TRAITS), ("treat", words.TREATS), ("plant", words.PLANTS), ("skill", words.SKILLS),
                          ("weather", words.WEATHERS), ("season", words.SEASONS), ("build", words.BUILDS), ("tool", words.TOOLS),
                          ("breakable", words.BREAKABLES), ("stuck", words.STUCK), ("lure", words.LURES), ("game", words.GAMES)):
        slots[slot] = rng.choice(choices)
    return slots


def tell(rng: random.Random) -> Tale:
    """One tale. The same state of `rng` tells the same tale."""
    slots = draw_slots(rng)
    plot = rng.choice(list(plots.PLOTS))
    about, beats = plots.PLOTS[plot]
    opening_template = rng.choice(plots.OPENINGS)
    # A newcomer is met in the tale: the opening must not know the friend yet.
    while plot in ("newcomer", "stuck", "found") and "{friend}" in opening_template:
        opening_template = rng.choice(plots.OPENINGS)
    opening = expand(opening_template, slots, rng)
    slots["weather"] = rng.choice([w for w in words.WEATHERS if w != slots["weather"]])
    sentences = [expand(beat, slots, rng) for beat in beats]
    if opening.startswith("One "):  # a tale has one such day
        sentences[0] = re.sub(r"^One \w+ (day|morning|afternoon), ", "", sentences[0])
        sentences[0] = capital(re.sub(r"^One (day|morning|evening), ", "Then ", sentences[0]))
    if plot != "sleep" and rng.random() < 0.7:
        sentences.append(expand(rng.choice(plots.CLOSINGS), slots, rng))
    slots["about"] = expand(about, slots, rng)
    request = expand(rng.choice(plots.REQUESTS), slots, rng)
    paragraphs = [opening + " " + sentences[0]]
    for sentence in sentences[1:]:
        # Long paragraphs read badly, and so do paragraphs of one sentence each.
        if len(paragraphs[-1]) > 220:
            paragraphs.append(sentence)
        else:
            paragraphs[-1] += " " + sentence
    return Tale(polished(request), polished(opening), polished("\n\n".join(paragraphs)), plot, (slots["name"], slots["friend"]))


def polished(text: str) -> str:
    """`a` before a vowel becomes `an`, and a question inside a quotation gets no comma: templates do not know their words."""
    text = re.sub(r"([?!]),\"", r'\1"', text)
    return re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for i in range(given.count):
        tale = tell(random.Random(f"{given.seed}/{i}"))
        print(f"> {tale.request}\n\n{tale.text}\n")


if __name__ == "__main__":
    main()
