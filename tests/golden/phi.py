"""Writes phi.json: a table of random labels with two constant attributes, and numpy's correlation of them."""

import json
from pathlib import Path

import numpy as np

random = np.random.default_rng(7)
common = random.random((200, 1))
rows = (0.6 * random.random((200, 40)) + 0.4 * common < random.uniform(0.3, 0.8, 40)).astype(int)
rows[:, 3], rows[:, 7] = 0, 1
with np.errstate(invalid="ignore"):
    phi = np.corrcoef(rows.T)
table = ["".join(map(str, row)) for row in rows]
values = [[None if np.isnan(value) else float(value) for value in row] for row in phi]
Path(__file__).with_name("phi.json").write_text(json.dumps({"rows": table, "phi": values}) + "\n")
