"""Writes export.json: names and shapes of the exported module's tensors in PyTorch, at the size of the tests."""

import json
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parents[1] / "src/export"))
import gal_net  # noqa: E402

CONFIG = {"stride": 2, "widths": [4] * 5, "branch": 3, "node": 2, "positions": 1, "eps": 1e-3, "node_layout": "own"}
listed = {}
for variant, affinity in [("baseline", None), ("gal-j", "learned"), ("gal-p", "fixed")]:
    state = gal_net.GalNet(CONFIG | {"net": None, "affinity": affinity}, {}).state_dict()
    # The counts of batches do not take part in the computation.
    listed[variant] = {name: list(t.shape) for name, t in state.items() if not name.endswith("num_batches_tracked")}
lines = json.dumps(listed).replace("]], ", "]],\n").replace("], ", "],\n").replace(": {", ": {\n").replace("}, ", "},\n")
(here / "export.json").write_text(lines + "\n")
