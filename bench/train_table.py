#!/usr/bin/python3
"""Puts bench/train.sh's table between two marks of a Markdown file.

    train_table.py FILE NAME < lines of {"tool", "net", "mode", "layout", "rate", "gflops"}

Rates are medians over the turns; PyTorch's is that of its better layout.
"""
import json
import statistics
import sys

from marks import replace

rates, gflops = {}, {}
for line in sys.stdin:
    row = json.loads(line)
    key = (row["net"], row["mode"])
    layouts = rates.setdefault(key, {}).setdefault(row["tool"], {})
    layouts.setdefault(row.get("layout"), []).append(row["rate"])
    if "gflops" in row:
        gflops.setdefault(key, []).append(row["gflops"])

table = ["| net | | kd2m samples/s | GFLOP/s | PyTorch as installed | ratio | PyTorch, BLAS configured "
         "| ratio |", "|---|---|---|---|---|---|---|---|"]
for (net, mode), tools in rates.items():
    best = {tool: max(statistics.median(found) for found in layouts.values())
            for tool, layouts in tools.items()}
    ours = best["kd2m"]
    cells = [net, mode, f"{ours:,.0f}", f"{statistics.median(gflops[net, mode]):.0f}"]
    for peer in ("installed", "fair"):
        cells += [f"{best[peer]:,.0f}", f"**{ours / best[peer]:.2f}**"]
    table.append("| " + " | ".join(cells) + " |")
replace(sys.argv[1], sys.argv[2], table)
