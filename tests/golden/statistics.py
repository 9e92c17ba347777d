"""Writes statistics.json: expected values for the unit tests of src/metrics.

- statsmodels, checked against SciPy: Wilson intervals and McNemar's exact test
- statsmodels: Holm's correction
- scikit-learn: balanced accuracy, F1, average precision, area under the ROC curve, bins of the calibration error
- NumPy: means, sample standard deviations and percentiles
- SciPy: bootstrap intervals
- NumPy: bootstrap intervals over people and seeds
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, bootstrap
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, average_precision_score, balanced_accuracy_score, f1_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_test
from statsmodels.stats.multitest import multipletests
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
    probabilities[0] = 0.5  # a tie is predicted negative
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

# Scores beyond one threshold; None if the labels leave a score undefined (scikit-learn warns and gives 0).
scores = []
for n, rate, steps in [(30, 0.5, 0), (400, 0.05, 0), (500, 0.3, 20), (200, 0.9, 4), (60, 0.5, 1), (25, 0.0, 0), (25, 1.0, 0)]:
    labels = generator.random(n) < rate
    probabilities = 1 / (1 + np.exp(-(1.5 * labels - 1 + generator.normal(size=n))))
    if steps:  # many ties
        probabilities = np.round(probabilities * steps) / steps
    probabilities = probabilities.astype(np.float32)
    if rate == 0.0:
        probabilities *= np.float32(0.5)  # F1 is undefined
    wide = probabilities.astype(np.float64)
    shares, means = calibration_curve(labels, wide, n_bins=15, strategy="uniform") if 0 < labels.sum() < n else (None, None)
    if shares is None:  # calibration_curve needs both labels
        shares, means = np.array([]), np.array([])
        for k in range(15):
            inside = np.digitize(wide, np.linspace(0, 1, 16)[1:-1]) == k
            if inside.any():
                shares, means = np.append(shares, labels[inside].mean()), np.append(means, wide[inside].mean())
    # calibration_curve leaves out empty bins and their sizes, which are counted here with the same edges.
    sizes = np.bincount(np.searchsorted(np.linspace(0, 1, 16)[1:-1], wide), minlength=15)
    sizes = sizes[sizes > 0]
    both = 0 < labels.sum() < n
    scores.append({
        "labels": labels.tolist(),
        "probabilities": [float(p) for p in probabilities],
        "f1": float(f1_score(labels, probabilities > 0.5)) if (labels | (probabilities > 0.5)).any() else None,
        "average_precision": float(average_precision_score(labels, probabilities)) if labels.any() else None,
        "auroc": float(roc_auc_score(labels, probabilities)) if both else None,
        "calibration_error": float((sizes * np.abs(shares - means)).sum() / n),
    })

mcnemar = []
for a, b in [(0, 0), (1, 0), (0, 6), (5, 5), (6, 5), (3, 17), (40, 70), (512, 640), (700, 400), (9_000, 9_300), (0, 1_500)]:
    p = mcnemar_test([[0, a], [b, 0]], exact=True).pvalue
    assert a + b == 0 or abs(p - binomtest(a, a + b).pvalue) <= 1e-9 * p
    mcnemar.append([a, b, float(p) if a + b else 1.0])

holm = []
for p in [[0.01, 0.04, 0.03, 0.005], [0.2], [0.5, 0.5, 0.9], list(generator.random(40) ** 6)]:
    holm.append({"p": [float(v) for v in p], "corrected": [float(v) for v in multipletests(p, method="holm")[1]]})

percentiles = []
for n in [2, 3, 40, 41, 2000]:
    values = generator.normal(size=n)
    low, high = np.percentile(values, [2.5, 97.5])
    percentiles.append({"values": values.tolist(), "low": float(low), "high": float(high)})

# 150 people with one to six images each, whose predictions are alike: a person is easy or hard. `a` and `b` are numbers
# of correct predictions, of 40.
people, a, b = [], [], []
for person in range(150):
    ease = 34 + 3 * generator.normal()
    for _ in range(generator.integers(1, 7)):
        people.append(person)
        a.append(int(np.clip(round(ease + generator.normal()), 0, 40)))
        b.append(int(np.clip(round(ease - 0.3 + generator.normal()), 0, 40)))
people, a, b = np.array(people), np.array(a), np.array(b)
images, sums_a, sums_b = (np.bincount(people, weights=w) for w in (np.ones(len(people)), a, b))


def interval(statistic, *samples):
    """SciPy's percentile interval, in batches that limit the memory."""
    found = bootstrap(samples, statistic, n_resamples=100_000, batch=1_000, paired=len(samples) > 1, vectorized=True,
                      confidence_level=0.95, method="percentile", rng=np.random.default_rng(7)).confidence_interval
    return {"low": float(found.low), "high": float(found.high)}


def share(sums, images, axis):
    return sums.sum(axis) / (40 * images.sum(axis))


over_people = {
    "people": people.tolist(), "a": a.tolist(), "b": b.tolist(),
    "mean_by_person": interval(share, sums_a, images),
    "mean_by_image": interval(lambda a, axis: a.mean(axis) / 40, a),
    "difference_by_person": interval(lambda a, b, n, axis: share(a, n, axis) - share(b, n, axis), sums_a, sums_b, images),
}

# Three seeds with an effect of each on all of its predictions. A resample draws people and, independently, seeds; the seeds'
# deviation from their mean is scaled by sqrt(3 / 2), which makes its variance that of the sample.
seeds = []
for effect_a, effect_b in [(0.3, -0.2), (-0.3, 0.1), (0.1, 0.0)]:
    seeds.append([np.clip(np.round(of + effect + generator.normal(size=len(of))), 0, 40).astype(int)
                  for of, effect in [(a, effect_a), (b, effect_b)]])


def over_people_and_seeds(of_seeds, resamples=100_000):
    """Percentile interval of the mean of `of_seeds`, [seed, image]; a crossed bootstrap."""
    rng = np.random.default_rng(8)
    sums = np.stack([np.bincount(people, weights=values) for values in of_seeds])
    found = []
    for _ in range(resamples // 1_000):
        weights = rng.multinomial(len(images), np.full(len(images), 1 / len(images)), 1_000)
        of_seed = weights @ sums.T / (40 * (weights @ images))[:, None]
        drawn = np.take_along_axis(of_seed, rng.integers(0, len(sums), (1_000, len(sums))), axis=1).mean(axis=1)
        center = of_seed.mean(axis=1)
        found.append(center + (drawn - center) * np.sqrt(len(sums) / (len(sums) - 1)))
    low, high = np.percentile(np.concatenate(found), [2.5, 97.5])
    return {"low": float(low), "high": float(high)}


over_people |= {
    "seeds": [[values.tolist() for values in pair] for pair in seeds],
    "mean_by_person_and_seed": over_people_and_seeds([pair[0] for pair in seeds]),
    "difference_by_person_and_seed": over_people_and_seeds([pair[0] - pair[1] for pair in seeds]),
}

golden = {"wilson": wilson, "balanced": balanced, "spread": spread, "scores": scores, "mcnemar": mcnemar, "holm": holm,
          "percentiles": percentiles, "bootstrap": over_people}
# One line for each case.
parts = [f'"{name}": ' + (json.dumps(cases) if isinstance(cases, dict) else "[\n" + ",\n".join(map(json.dumps, cases)) + "\n]")
         for name, cases in golden.items()]
Path(__file__).with_suffix(".json").write_text("{\n" + ",\n".join(parts) + "\n}\n")
