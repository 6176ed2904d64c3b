#!/usr/bin/python3
"""Puts a table of accuracies between two marks of a Markdown file.

    results_table.py FILE NAME < lines of {"tool", "net", "seed", "accuracy": {TEST: SHARE}, "seconds"}

Lines without seconds, of runs beside other work, make a table without them.
"""
import json
import statistics
import sys

from marks import replace

path, name = sys.argv[1:3]
found = {}
for line in sys.stdin:
    row = json.loads(line)
    found.setdefault(row["net"], {}).setdefault(row["tool"], []).append(row)


def cell(rows, test):
    if not rows:
        return "–"
    accuracies = [100 * row["accuracy"][test] for row in rows]
    sd = statistics.stdev(accuracies) if len(accuracies) > 1 else float("nan")
    return f"{statistics.mean(accuracies):.2f} ± {sd:.2f}"


def seconds(rows):
    found = [row["seconds"] for row in rows if "seconds" in row]
    return f"{statistics.median(found):.1f}" if found else "–"


timed = any("seconds" in row for tools in found.values() for rows in tools.values() for row in rows)
heads = ["net", "tested on", "kd2m, accuracy %", "PyTorch, accuracy %"]
heads += ["kd2m s", "PyTorch s"] if timed else []
table = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
for net, tools in found.items():
    ours, peer = tools.get("kd2m", []), tools.get("torch", [])
    for i, test in enumerate((ours or peer)[0]["accuracy"]):
        cells = [net, test, cell(ours, test), cell(peer, test)]
        if timed:
            cells += [seconds(ours), seconds(peer)] if i == 0 else ["", ""]
        table.append("| " + " | ".join(cells) + " |")
replace(path, name, table)
