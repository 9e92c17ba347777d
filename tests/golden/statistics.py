"""Writes tests/golden/statistics.json: expected values for the unit tests of src/evaluate/statistics.rs.

    python -m venv venv && venv/bin/pip install numpy scipy scikit-learn statsmodels
    venv/bin/python tests/golden/statistics.py

Wilson intervals come from statsmodels, checked against scipy; balanced accuracy from scikit-learn; means and sample
standard deviations from numpy.
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from statsmodels.stats.proportion import proportion_confint

wilson = []
for correct, n in [(0, 1), (1, 1), (0, 50), (50, 50), (1, 3), (7, 10), (81, 263), (850, 1000), (19_000, 19_962)]:
    low, high = proportion_confint(correct, n, alpha=0.05, method="wilson")
    other = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert abs(low - other.low) < 1e-12 and abs(high - other.high) < 1e-12
    wilson.append({"correct": correct, "n": n, "low": float(low), "high": float(high)})

generator = np.random.default_rng(1)
balanced = []
for n, rate, skill in [(20, 0.5, 0.9), (200, 0.05, 0.8), (101, 0.97, 0.6), (30, 0.0, 0.7), (30, 1.0, 0.7)]:
    labels = generator.random(n) < rate
    probabilities = np.where(generator.random(n) < skill, labels, ~labels) * 0.5 + generator.random(n) * 0.5
    probabilities = probabilities.astype(np.float32)
    probabilities[0] = 0.5  # a tie is answered "no"
    answers = probabilities > 0.5
    balanced.append({
        "labels": labels.tolist(),
        "probabilities": [float(p) for p in probabilities],
        "correct": int((labels == answers).sum()),
        "accuracy": float(accuracy_score(labels, answers)),
        "balanced_accuracy": float(balanced_accuracy_score(labels, answers)),
    })

spread = []
for values in [[0.5, 0.75], [0.8123, 0.8177, 0.8099], [0.9] * 4, list(generator.random(7))]:
    spread.append({"values": [float(v) for v in values], "mean": float(np.mean(values)),
                   "deviation": float(np.std(values, ddof=1))})

golden = {"wilson": wilson, "balanced": balanced, "spread": spread}
Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")
