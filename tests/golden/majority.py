"""Writes datasets/published/celeba_majority.csv: the accuracy, on CelebA's official test split, of always predicting
each attribute's most frequent label among the official training images.

    python tests/golden/majority.py CELEBA_ROOT datasets/published/celeba_majority.csv

CELEBA_ROOT holds Anno/list_attr_celeba.txt and Eval/list_eval_partition.txt as the authors of CelebA distribute them.
"""

import sys
from pathlib import Path

root, target = Path(sys.argv[1]), Path(sys.argv[2])
part = dict(line.split() for line in (root / "Eval/list_eval_partition.txt").read_text().splitlines() if line.strip())
lines = (root / "Anno/list_attr_celeba.txt").read_text().splitlines()
names = lines[1].split()
count = {split: 0 for split in "012"}
positive = {split: [0] * len(names) for split in "012"}
for line in lines[2:]:
    image, *labels = line.split()
    split = part[image]
    count[split] += 1
    for i, label in enumerate(labels):
        positive[split][i] += label == "1"

with target.open("w", newline="\n") as out:
    out.write("attribute,accuracy\n")
    for i, name in enumerate(names):
        answer = 2 * positive["0"][i] > count["0"]
        correct = positive["2"][i] if answer else count["2"] - positive["2"][i]
        out.write(f"{name},{100 * correct / count['2']:.4f}\n")
