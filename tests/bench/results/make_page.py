#!/usr/bin/env python3
"""Writes tests/bench/RESULTS.md and the speed table of README.md from the data files beside this script.

  make_page.py            writes both
  make_page.py --check    writes nothing; fails when a data file is wrong or a page differs from what it would write

A data file MACHINE-DATE.tsv holds the measurements of one machine and one date: lines `# key: value` (machine, date, about), the names of the
columns, then a row for each measurement. Numbers of a cell may be a range ("13.0 to 14.2") or a list ("6.8, 7.5").
"""
import argparse
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "RESULTS.md"
README = HERE.parents[2] / "README.md"
COLUMNS = "work command fathom unit peer peer_version ratio rounds note".split()
BEGIN, END = "<!-- speed: written by tests/bench/results/make_page.py -->", "<!-- end of speed -->"
HEADLINE = ["prompt of 512", "generation", "generation at 4,096 tokens"]
MODEL = "V2-Lite shape, Q4_K_M mix"


class Wrong(Exception):
    pass


def numbers(cell):
    """Each number of a cell with half of its last place: [(value, half)]."""
    found = []
    for text in re.findall(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?", cell):
        places = len(text.split(".")[1]) if "." in text else 0
        found.append((float(text.replace(",", "")), 0.5 * 10 ** -places))
    return found


def check_row(row, where):
    for column in ("work", "command", "fathom", "unit"):
        if not row[column]:
            raise Wrong(f"{where}: {column} is empty")
    if not numbers(row["fathom"]):
        raise Wrong(f"{where}: fathom is {row['fathom']!r}, expected a number")
    if bool(row["peer"]) != bool(row["peer_version"]):
        raise Wrong(f"{where}: peer and peer_version go together")
    if not row["ratio"]:
        return
    ours, theirs, ratio = (numbers(row[column]) for column in ("fathom", "peer", "ratio"))
    if not theirs or len(ratio) != 1:
        raise Wrong(f"{where}: a ratio needs a peer and is one number")
    # Rounded figures allow a range of ratios.
    least = min(value - half for value, half in ours) / max(value + half for value, half in theirs)
    most = max(value + half for value, half in ours) / max(min(value - half for value, half in theirs), 1e-9)
    value, half = ratio[0]
    if not least - half <= value <= most + half:
        raise Wrong(f"{where}: ratio is {row['ratio']}, expected {least:.3f} to {most:.3f} from {row['fathom']} and {row['peer']}")
    rounds = row["rounds"].split(":")
    if len(rounds) == 2 and len(numbers(rounds[1])) != 3:
        raise Wrong(f"{where}: rounds is {row['rounds']!r}, expected their number, then least, median and most ratio")


def read_file(path):
    head, about, rows, columns = {}, [], [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{path.name}:{number}"
        if line.startswith("# "):
            key, _, value = line[2:].partition(": ")
            about.append(value) if key == "about" else head.__setitem__(key, value)
        elif columns is None:
            columns = line.split("\t")
            if columns != COLUMNS:
                raise Wrong(f"{where}: columns are {columns}, expected {COLUMNS}")
        else:
            cells = line.split("\t")
            if len(cells) != len(COLUMNS):
                raise Wrong(f"{where}: {len(cells)} cells, expected {len(COLUMNS)}")
            row = dict(zip(COLUMNS, cells))
            check_row(row, where)
            rows.append(row)
    if set(head) != {"machine", "date"} or not path.stem.endswith("-" + head["date"]):
        raise Wrong(f"{path.name}: needs machine and date, and the date in its name")
    if not rows:
        raise Wrong(f"{path.name}: has no rows")
    return {**head, "about": about, "rows": rows, "name": path.name}


def cell(text):
    return text.replace("|", "\\|")


def section(data):
    """One data file as Markdown: a table, then the commands that its last column counts."""
    commands = list(dict.fromkeys(row["command"] for row in data["rows"]))
    lines = [f"## {data['machine']}, {data['date']}", ""]
    lines += data["about"] + [""] if data["about"] else []
    lines += ["| work | fathom | peer | ratio | rounds | note | command |", "|---|---|---|---|---|---|---|"]
    for row in data["rows"]:
        peer = f"{row['peer']} ({row['peer_version']})" if row["peer"] else ""
        values = [row["work"], f"{row['fathom']} {row['unit']}", peer, row["ratio"], row["rounds"], row["note"],
                  str(commands.index(row["command"]) + 1)]
        lines.append("| " + " | ".join(cell(value) for value in values) + " |")
    lines += ["", "Commands:", ""]
    lines += [f"{index}. `{command}`" for index, command in enumerate(commands, 1)]
    return "\n".join(lines) + "\n"


def page(files):
    intro = f"""# Results

`results/make_page.py` writes this page from the data files in [results](results). A test compares the two.

Each section holds the measurements of one machine and one date. The machines are shared and their speed drifts by tens of per cent
within minutes, so only numbers of one row may be compared. A ratio is fathom's median over the peer's. `rounds` gives how many rounds were
run, then the least, median and most ratio within a round. The models have the shapes of real ones and random weights: see
[README](README.md). Dates are those on which a figure was written down.

"""
    return intro + "\n".join(section(data) for data in files)


def span(texts):
    """The least and the most of some cells, as they are written there."""
    found = sorted((value, text) for each in texts for text in re.findall(r"\d[\d,]*(?:\.\d+)?", each) for value, _ in numbers(text))
    return found[0][1] if found[0][0] == found[-1][0] else f"{found[0][1]} to {found[-1][1]}"


def headline(files, machine, work):
    """The newest figures of a machine for one work, against the peer that is nearest to fathom: (text, date)."""
    for data in files:
        rows = [row for row in data["rows"] if row["work"] == f"{MODEL}: {work}" and row["ratio"]]
        if data["machine"] != machine or not rows:
            continue
        nearest = min(rows, key=lambda row: float(row["ratio"]))["peer_version"]
        rows = [row for row in rows if row["peer_version"] == nearest]
        return f"{span(row['fathom'] for row in rows)} tok/s, **{span(row['ratio'] for row in rows)}**", data["date"]
    return "", None


def speed_table(files):
    lines = ["| two cores of | " + " | ".join(HEADLINE) + " | measured |", "|---|" + "---|" * (len(HEADLINE) + 1)]
    for machine in sorted({data["machine"] for data in files}):
        cells, dates = zip(*(headline(files, machine, work) for work in HEADLINE))
        if all(cells):
            lines.append(f"| {machine} | {' | '.join(cells)} | {', '.join(sorted(set(dates)))} |")
    return "\n".join(lines)


def renewed(readme, table):
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Wrong(f"README.md: {BEGIN} or {END} is missing")
    return f"{before}{BEGIN}\n{table}\n{end}{after}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is wrong or not up to date")
    arguments = parser.parse_args()
    try:
        files = [read_file(path) for path in HERE.glob("*.tsv")]
        files.sort(key=lambda data: data["machine"])
        files.sort(key=lambda data: data["date"], reverse=True)
        wanted = {PAGE: page(files), README: renewed(README.read_text(encoding="utf-8"), speed_table(files))}
    except Wrong as wrong:
        sys.exit(str(wrong))
    for path, text in wanted.items():
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what the data files say: run tests/bench/results/make_page.py")


if __name__ == "__main__":
    main()
