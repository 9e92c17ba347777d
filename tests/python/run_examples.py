"""Runs the examples of a Markdown page in order, in the current folder.

Usage: run_examples.py PAGE [NAME=VALUE ...]

An example is a block in sh or Python after the line `<!-- ci: run -->`. In a page without such a line, every block in Python
is one. The given names replace those that the first block in Python sets. In sh, `gal-bench` is found in PATH, and the folder
`data` here stands for `/data`.
"""

import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^(<!-- ci: run -->\n)?```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)

page, *given = sys.argv[1:]
given = dict(name.split("=", 1) for name in given)
text = Path(page).read_text()
marked = "<!-- ci: run -->" in text
blocks = [(language, code) for mark, language, code in BLOCK.findall(text) if mark or not marked and language == "python"]
assert blocks, f"{page} has no example"
assert text.count("<!-- ci: run -->") in (0, len(blocks)), f"{page}: a mark is not before a block"
names = {}
for number, (language, code) in enumerate(blocks, start=1):
    place = f"{page}, example {number}"
    print(f"== {place}", flush=True)
    if language == "sh":
        subprocess.run(["bash", "-euo", "pipefail", "-c", code.replace("/data/", "data/")], check=True)
    else:
        assert language == "python", f"{place}: {language} cannot be run"
        is_first = not names
        exec(compile(code, place, "exec"), names)
        if is_first:
            assert given.keys() <= names.keys(), f"{place} must set {', '.join(given)}"
            names.update(given)
