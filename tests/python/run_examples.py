"""Runs the Python examples of a Markdown page in order.

Usage: run_examples.py PAGE RUN REPORT   (RUN and REPORT replace the folders of the first example)
"""

import re
import sys
from pathlib import Path

page, run, report = sys.argv[1:]
first, *examples = re.findall(r"^```python\n(.*?)^```", Path(page).read_text(), re.DOTALL | re.MULTILINE)
names = {}
exec(first, names)
assert {"RUN", "REPORT"} <= names.keys(), f"{page}: the first example must set RUN and REPORT"
names.update(RUN=run, REPORT=report)
assert examples, f"{page} has no example"
for number, example in enumerate(examples, start=2):
    exec(compile(example, f"{page}, example {number}", "exec"), names)
