#!/usr/bin/python3
"""Puts a table of accuracies between two marks of a Markdown file.

    results_table.py FILE NAME < lines of {"tool", "net", "seed", "accuracy", "seconds"}

The marks are <!-- NAME --> and <!-- /NAME -->.
"""
import json
import statistics
import sys

path, name = sys.argv[1:3]
found = {}
for line in sys.stdin:
    row = json.loads(line)
    found.setdefault(row["net"], {}).setdefault(row["tool"], []).append(row)


def cell(rows):
    if not rows:
        return "–", "–"
    accuracies = [100 * row["accuracy"] for row in rows]
    sd = statistics.stdev(accuracies) if len(accuracies) > 1 else float("nan")
    seconds = statistics.median(row["seconds"] for row in rows)
    return f"{statistics.mean(accuracies):.2f} ± {sd:.2f}", f"{seconds:.1f}"


table = ["| net | kd2m, test accuracy % | PyTorch, test accuracy % | kd2m s | PyTorch s |",
         "|---|---|---|---|---|"]
for net, tools in found.items():
    ours, our_seconds = cell(tools.get("kd2m"))
    peer, peer_seconds = cell(tools.get("torch"))
    table.append(f"| {net} | {ours} | {peer} | {our_seconds} | {peer_seconds} |")
text = open(path).read()
start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
head, rest = text.split(start, 1)
tail = rest.split(end, 1)[1]
with open(path, "w") as file:
    file.write(head + start + "\n" + "\n".join(table) + "\n" + end + tail)
