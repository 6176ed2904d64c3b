#!/usr/bin/python3
"""Writes tests/golden/csv: one table in the dialects of Python's csv module, and a recording with
holes, beside what they hold as NumPy arrays; and tests/fuzz/corpus/csv to begin fuzzing with.

    /usr/bin/python3 tools/golden_csv.py

table: columns a b c (values.npy), machine (machines.npy: codes as they first come), state (labels.npy:
rank of the sorted texts). recording: windows of 8 steps, every 4, of x and y, whose labels do not
change: those that miss nothing (kept-*.npy), and all, filled in by np.interp over the time
(filled-*.npy); -x.npy the values, -y.npy the labels, -time.npy and -until.npy.
"""
import csv
import gzip
import io
import os

import numpy as np

tests = os.path.join(os.path.dirname(__file__), "..", "tests")
folder = os.path.join(tests, "golden", "csv")
corpus = os.path.join(tests, "fuzz", "corpus", "csv")
draw = np.random.default_rng(5)
ROWS, STEPS, WINDOW, HOP = 24, 60, 8, 4


def save(name, array, kind):
    np.save(os.path.join(folder, name + ".npy"), np.asarray(array).astype(kind))


def write(name, rows, encoding="utf-8", packed=False, **dialect):
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(rows)
    data = text.getvalue().encode(encoding)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(gzip.compress(data, mtime=0) if packed else data)


os.makedirs(folder, exist_ok=True)
os.makedirs(corpus, exist_ok=True)

values = draw.standard_normal((ROWS, 3)) * 10.0 ** draw.integers(-12, 12, (ROWS, 3))
values[3, 1] = 0.1
values[4] = [1e-40, -3.4e38, 7]
machines = ["pump, left", 'press "2"', "two\nlines", "m\u00fchle", "plain"]
states = ["worn", "good", "burnt; out", "good"]
machine = [machines[i * i % 5] for i in range(ROWS)]
state = [states[i % 4] for i in range(ROWS)]
header = ["a", "machine", "b", "state", "c"]
rows = [[repr(a), m, repr(b), s, repr(c)]
        for (a, b, c), m, s in zip(values.tolist(), machine, state)]
write("comma.csv", [header] + rows)
write("semicolon.csv", [header] + rows, "utf-8-sig", delimiter=";", quoting=csv.QUOTE_ALL)
write("tab.csv", [header] + rows, delimiter="\t", lineterminator="\n")
write("zipped.csv.gz", [header] + rows, packed=True)
write("bare.csv", rows)
save("values", values, "<f4")
save("labels", [sorted(set(states)).index(s) for s in state], "<i4")
save("machines", [list(dict.fromkeys(machine)).index(m) for m in machine], "<i4")

time = np.cumsum(draw.uniform(0.5, 1.5, STEPS)).round(3)
signal = draw.standard_normal((STEPS, 2)).round(4)
label = np.where(np.arange(STEPS) < 33, 7, 2)
holes = signal.copy()
holes[0, 0] = holes[17:19, 0] = holes[59, 1] = holes[40, 1] = np.nan
words = ["", "NA", "nan", "NaN", "null"]
cells = [[words[i % 5] if np.isnan(v) else repr(v) for v in row]
         for i, row in enumerate(holes.tolist())]
write("recording.csv", [["t", "x", "note", "y", "fault"]] +
      [[repr(t), x, "free text", y, f] for t, (x, y), f in zip(time.tolist(), cells, label.tolist())])
filled = holes.copy()
for c in range(2):
    there = ~np.isnan(holes[:, c])
    filled[:, c] = np.interp(time, time[there], holes[there, c])
for name, source in [("kept", holes), ("filled", filled)]:
    starts = [s for s in range(0, STEPS - WINDOW + 1, HOP)
              if len(set(label[s:s + WINDOW])) == 1 and not np.isnan(source[s:s + WINDOW]).any()]
    ends = np.append(time, 2 * time[-1] - time[-2])
    save(name + "-x", [source[s:s + WINDOW].T for s in starts], "<f4")
    save(name + "-y", label[starts], "<i4")
    save(name + "-time", time[starts], "<f8")
    save(name + "-until", ends[np.array(starts) + WINDOW], "<f8")

for name, data in {
    "plain": b"a,b\n1,2\n3,4\n", "quotes": b'a;b\r\n"1";"x""y\n z"\r\n', "open": b'a,b\n"1,2\n',
    "behind": b'a,b\n"1"x,2\n', "ragged": b"a\tb\n1\n", "nul": b"a,b\n1,\0\n", "blank": b"\n\na\n\n1\n\n",
    "bom": b"\xef\xbb\xbfa,b\n1,NA\n", "utf16": "a,b\n1,2\n".encode("utf-16"), "empty": b"",
    "numbers": b"a\n1e400\n-0.0\n12345678901234567890\n1.5e-320\ninf\n",
    "zipped": gzip.compress(b"a,b\n1,2\n", mtime=0),
}.items():
    with open(os.path.join(corpus, name), "wb") as file:
        file.write(data)
