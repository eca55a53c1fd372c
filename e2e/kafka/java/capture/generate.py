#!/usr/bin/env python3
"""Writes random scripts for Capture.java: generate.py SEED COUNT"""

import random
import sys

TOPICS = ["a", "b", "c", "orders", "eu.west", "x_y-z", "a,b2", "t1,t2,t3,t4"]
CONFIGS = ["-", "-", "retention.ms=5", "segment.bytes=100000000;cleanup.policy=compact"]


def script(pick, title):
    kinds, lines = [], []

    def add(line, kind):
        lines.append(line)
        kinds.append(kind)

    def handles(kind):
        return [number for number, known in enumerate(kinds) if known == kind]

    def windows():
        if pick.random() < 0.5:
            return f"{pick.choice([1000, 60000, 300000])} {pick.choice([0, 500])} {pick.choice(['-', '90000000'])}"
        return "- - -"

    add("stream " + pick.choice(TOPICS), "stream")
    for unique in range(pick.randint(3, 22)):
        calls = ["stream", "filter", "filternot", "map", "mapvalues", "selectkey", "repartition"]
        calls += 2 * ["merge", "aggregate", "to"]
        if handles("table"):
            calls += ["tfilter", "tfilternot", "tmapvalues"] + 3 * ["tostream"]
        call = pick.choice(calls)
        streams = handles("stream")
        # Mostly go on where the script is, sometimes branch far back.
        stream = pick.choice(streams[-3:] if pick.random() < 0.6 else streams)
        if call == "stream":
            add("stream " + pick.choice(TOPICS), "stream")
        elif call == "merge":
            add(f"merge {stream} {pick.choice(streams)}", "stream")
        elif call == "repartition":
            partitions = pick.choice(["-", "-", str(pick.randint(1, 9))])
            add(f"repartition {stream} {pick.choice(['-', f'rep{unique}'])} {partitions}", "stream")
        elif call == "aggregate":
            store = pick.choice(["-", f"store{unique}", f"st-{unique}"])
            group = pick.choice(["-", "-", f"grp{unique}"])
            add(f"aggregate {stream} {store} {group} {windows()} {pick.choice(CONFIGS)}", "table")
        elif call == "to":
            add(f"to {stream} out{pick.randint(0, 5)}", "sink")
        elif call == "tostream":
            add(f"tostream {pick.choice(handles('table'))}", "stream")
        elif call.startswith("t"):
            add(f"{call} {pick.choice(handles('table'))}", "table")
        else:
            add(f"{call} {stream}", "stream")
    if pick.random() < 0.8:
        names = [name for topics in TOPICS for name in topics.split(",")]
        lines.append("partitions " + " ".join(f"{name}={pick.randint(1, 4)}" for name in names))
        if pick.random() < 0.2:
            lines.append("config topic.compression.type=zstd")
    return "\n".join([f"=== {title}"] + lines)


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    pick = random.Random(seed)
    for number in range(count):
        print(script(pick, f"generated {seed}.{number}"))


main()
