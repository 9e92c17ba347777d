"""pandas' side of benches/annotations.rs: annotations.py ATTRIBUTES PARTITION [IDENTITIES]; prints seconds and
counts of the table as JSON. The first reading, which also loads code, is not timed.
"""

import json
import sys
import time

import pandas as pd


def read(attributes, *others):
    table = pd.read_csv(attributes, sep=r"\s+", skiprows=1)
    for name, path in zip(("split", "identity"), others):
        table = table.join(pd.read_csv(path, sep=r"\s+", header=None, names=["image", name], index_col="image"))
    return table


read(*sys.argv[1:])
start = time.perf_counter()
table = read(*sys.argv[1:])
seconds = time.perf_counter() - start
present = int((table.iloc[:, :40] == 1).to_numpy().sum())
splits = [int((table["split"] == split).sum()) for split in range(3)]
print(json.dumps({"seconds": seconds, "table": {"images": len(table), "present": present, "splits": splits}}))
