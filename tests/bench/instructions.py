#!/usr/bin/env python3
"""Counts the instructions of small workloads with callgrind and holds them to the committed numbers.

  instructions.py PROGRAM NUMBERS --compiler "GNU 12.2.0 Release"            the test
  instructions.py PROGRAM NUMBERS --compiler "GNU 12.2.0 Release" --renew    writes NUMBERS anew

Counts repeat to a few parts in a million where times on shared machines do not to a tenth, so a change that costs work is seen
at once. More or less than the tolerance fails: what has become faster is recorded, too. Another compiler makes other code; with it the
workloads are run and counted, and nothing is compared.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile


class Failure(Exception):
    pass


def list_workloads(program):
    return subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.splitlines()


def count(valgrind, program, workload):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "callgrind.out")
        command = [valgrind, "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=" + out, program, workload]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if line and not line.startswith("==")]
            raise Failure(f"{workload}: {said[-1] if said else done.stderr.strip()}")
        with open(out, encoding="utf-8") as file:
            totals = re.search(r"^totals: (\d+)", file.read(), re.MULTILINE)
    if not totals or int(totals[1]) == 0:
        raise Failure(f"{workload}: callgrind counted nothing")
    return int(totals[1])


def compare(counts, expected, tolerance):
    """Sentences about what is not as it was."""
    wrong = [f"{name}: there is no committed number" for name in counts if name not in expected]
    wrong += [f"{name}: there is no such workload any more" for name in expected if name not in counts]
    for name in counts.keys() & expected.keys():
        change = counts[name] / expected[name] - 1
        if abs(change) > tolerance + 1e-9:  # 1.03 - 1 is a little more than 0.03
            wrong.append(f"{name}: {counts[name]:,} instructions, {100 * change:+.1f} % of the committed {expected[name]:,}")
    return sorted(wrong)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("program")
    ap.add_argument("numbers", help="a JSON file: compiler, instructions by workload")
    ap.add_argument("--compiler", required=True, help="what built the program; numbers are compared within one compiler only")
    ap.add_argument("--valgrind", default="valgrind")
    ap.add_argument("--tolerance", type=float, default=0.03)
    ap.add_argument("--renew", action="store_true", help="write the numbers instead of comparing")
    o = ap.parse_args()
    try:
        counts = {name: count(o.valgrind, o.program, name) for name in list_workloads(o.program)}
    except (Failure, OSError) as failure:
        print(f"instructions: {failure}", file=sys.stderr)
        return 1
    if o.renew:
        with open(o.numbers, "w", encoding="ascii") as file:
            json.dump({"compiler": o.compiler, "instructions": counts}, file, indent=1)
            file.write("\n")
        return 0
    with open(o.numbers, encoding="ascii") as file:
        committed = json.load(file)
    expected = committed["instructions"]
    for name, found in counts.items():
        print(f"{name:40} {found:14,} {100 * (found / expected[name] - 1):+7.2f} %" if name in expected else f"{name:40} {found:14,}")
    if committed["compiler"] != o.compiler:
        print(f"only run, not compared: the numbers are of {committed['compiler']}, this is {o.compiler}")
        return 0
    wrong = compare(counts, expected, o.tolerance)
    for sentence in wrong:
        print(f"instructions: {sentence}", file=sys.stderr)
    if wrong:
        print("instructions: where that is meant, --renew writes new numbers", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
