#!/usr/bin/env python3
"""Compares fathom's speed with that of another engine's llama-bench on the same file, run by run in turn.

  compare.sh PEER MODEL.gguf -p 128,512 -n 64 -d 0,4096 -t 2 -r 5
  PEER_FLAGS="-fa 1" compare.sh PEER MODEL.gguf                      flags that the peer is to get besides
  compare.sh PEER MODEL.gguf --peer-depth gp                         a peer whose depth is `-gp DEPTH,N`, not `-d DEPTH`
  compare.sh PEER MODEL.gguf -p 0 -b 4,8 --batched llama-batched-bench

Each round runs both once on every workload, each in a process of its own, ours first in one round and theirs in the next: what
else the machine does then falls on both. Printed are, for each workload, both medians in tokens a second, the ratio of the
medians (above 1: fathom is faster), and the spread of the ratios within rounds. A batch's speed is the sum of its sessions. Note what the
peer feeds its batches: the same token for every sequence makes all of them choose the same experts; FATHOM_FLAGS=--same-text does so too.

PEER_FLAGS, BATCHED_FLAGS and FATHOM_FLAGS in the environment are added to the command lines.
"""
import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))

# prompt: tokens taken in; or generated: tokens of each of `sessions` at `depth`
Workload = namedtuple("Workload", "prompt generated depth sessions threads")
Result = namedtuple("Result", "workload ours theirs")  # tokens a second, one for each round


class Failure(Exception):
    pass


def describe(w):
    text = f"prompt {w.prompt}" if w.prompt else f"generate {w.generated}"
    text += f" at {w.depth}" if w.depth else ""
    return text + (f" by {w.sessions}" if w.sessions > 1 else "")


def output_of(command, messages_too=False):
    try:
        with tempfile.TemporaryDirectory() as folder:  # some engines leave log files where they run
            done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failure(f"{command[0]} does not run: {error.strerror}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["without a word"]
        raise Failure(f"{shlex.join(command)} ended with {done.returncode}: {lines[-1]}")
    return done.stdout + done.stderr if messages_too else done.stdout


def flags(name):
    return shlex.split(os.environ.get(name, ""))


def our_speed(o, w):
    command = [o.fathom, "bench", o.model, "-p", str(w.prompt), "-n", str(w.generated), "-d", str(w.depth), "-b", str(w.sessions),
               "-t", str(w.threads), "-r", "1", "--ceiling-mb", "0", "--json", *flags("FATHOM_FLAGS")]
    out = json.loads(output_of(command))
    return out["runs"][0]["tokens_per_s"]["median"]


def peer_speed(o, w):
    if w.sessions > 1:
        return batched_speed(o, w)
    sizes = ["-p", str(w.prompt), "-n", str(w.generated)]
    if w.depth:
        gp = ["-p", "0", "-n", "0", "-gp", f"{w.depth},{w.generated}"]
        sizes = gp if o.peer_depth == "gp" else [*sizes, "-d", str(w.depth)]
    command = [o.peer, "-m", o.model, *sizes, "-t", str(w.threads), "-r", "1", "-o", "json", *flags("PEER_FLAGS")]
    out = output_of(command)
    try:
        tests = json.loads(out)
        speeds = [test["avg_ts"] for test in tests if (test["n_gen"] > 0) == (w.generated > 0)]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{shlex.join(command)} printed what no llama-bench prints: {out[:80]!r}") from error
    if len(speeds) != 1:
        raise Failure(f"{shlex.join(command)} ran {len(speeds)} tests of this kind, expected one")
    return float(speeds[0])


def batched_speed(o, w):
    context = w.sessions * (max(w.depth, 1) + w.generated)
    command = [o.batched, "-m", o.model, "-c", str(context), "-npp", str(max(w.depth, 1)), "-ntg", str(w.generated),
               "-npl", str(w.sessions), "-t", str(w.threads), *flags("BATCHED_FLAGS")]
    out = output_of(command, messages_too=True)  # where the table goes differs from engine to engine
    # PP, TG, B, N_KV, T_PP, S_PP, T_TG, S_TG, T, S
    lines = [line.strip() for line in out.splitlines()]
    rows = [[float(cell) for cell in line.strip("|").split("|")] for line in lines if re.fullmatch(r"[|\d.\s]+\|", line)]
    if len(rows) != 1 or len(rows[0]) != 10 or int(rows[0][2]) != w.sessions:
        raise Failure(f"{shlex.join(command)} printed no row for {w.sessions} sequences")
    return rows[0][7]


def workloads(o):
    for threads in o.threads:
        for prompt in o.prompts:
            yield Workload(prompt, 0, 0, 1, threads)
        if o.generate:
            for sessions in o.batches:
                for depth in o.depths:
                    yield Workload(0, o.generate, depth, sessions, threads)


def measure(o):
    results = [Result(w, [], []) for w in workloads(o)]
    for number in range(o.rounds):
        for result in results:
            sides = [(result.ours, our_speed), (result.theirs, peer_speed)]
            for speeds, run in sides if number % 2 == 0 else reversed(sides):
                speeds.append(run(o, result.workload))
            print(f"round {number + 1} of {o.rounds}: {describe(result.workload)}, {result.workload.threads} threads: "
                  f"{result.ours[-1]:.2f} and {result.theirs[-1]:.2f} tokens/s", file=sys.stderr)
    return results


def summary(result):
    ratios = [ours / theirs for ours, theirs in zip(result.ours, result.theirs)]
    ours, theirs = statistics.median(result.ours), statistics.median(result.theirs)
    return dict(run=describe(result.workload), threads=result.workload.threads, fathom=ours, peer=theirs, ratio=ours / theirs,
                paired_ratio=dict(min=min(ratios), median=statistics.median(ratios), max=max(ratios)),
                fathom_rounds=result.ours, peer_rounds=result.theirs)


def print_table(summaries):
    print(f"{'run':26} {'threads':>7} {'fathom':>9} {'peer':>9} {'ratio':>7}   paired ratios: least, median, most")
    for s in summaries:
        p = s["paired_ratio"]
        print(f"{s['run']:26} {s['threads']:7} {s['fathom']:9.2f} {s['peer']:9.2f} {s['ratio']:7.3f}   "
              f"{p['min']:.3f} {p['median']:.3f} {p['max']:.3f}")


def sizes(least):
    def parse(text):
        values = [int(part) for part in text.split(",")]
        if min(values) < 0:
            raise ValueError
        return [value for value in values if value >= least]
    parse.__name__ = "list of sizes"
    return parse


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("peer", help="the other engine's llama-bench")
    ap.add_argument("model", help="a .gguf file")
    ap.add_argument("-p", dest="prompts", type=sizes(1), default=[512], help="prompts of so many tokens; 0: none")
    ap.add_argument("-n", dest="generate", type=int, default=64, help="tokens to generate; 0: none")
    ap.add_argument("-d", dest="depths", type=sizes(0), default=[0], help="tokens there already when generation begins")
    ap.add_argument("-t", dest="threads", type=sizes(1), default=[os.cpu_count()], help="threads")
    ap.add_argument("-b", dest="batches", type=sizes(1), default=[1],
                    help="sessions generating together; above 1 needs --batched")
    ap.add_argument("-r", dest="rounds", type=int, default=5, help="rounds")
    ap.add_argument("--fathom", default=os.path.join(HERE, "..", "..", "build", "bin", "fathom"), help="our tool")
    ap.add_argument("--batched", help="the other engine's llama-batched-bench")
    ap.add_argument("--peer-depth", choices=("d", "gp"), default="d", help="how the peer is told a depth")
    ap.add_argument("--json", action="store_true", help="print JSON instead of a table")
    o = ap.parse_args()
    if max(o.batches, default=1) > 1 and not o.batched:
        ap.error("-b above 1 needs --batched")
    o.model = os.path.abspath(o.model)
    for name in ("peer", "fathom", "batched"):
        path = getattr(o, name)
        if path and os.path.dirname(path):  # or it is looked for in PATH
            setattr(o, name, os.path.abspath(path))
    if o.rounds < 1:
        ap.error("-r must be 1 or more")
    try:
        summaries = [summary(result) for result in measure(o)]
    except Failure as failure:
        print(f"compare: {failure}", file=sys.stderr)
        return 1
    if o.json:
        print(json.dumps(summaries, indent=1))
    else:
        print_table(summaries)
    return 0


if __name__ == "__main__":
    sys.exit(main())
