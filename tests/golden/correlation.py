"""Writes correlation.json: clustering, rank correlation, Mantel tests and reliability by SciPy and NumPy. Also writes
masks.npy, an array in NumPy's own format.
"""

import csv
import json
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import entropy, spearmanr

N = 40
HERE = Path(__file__).parent
random = np.random.default_rng(11)
off = ~np.eye(N, dtype=bool)


def rounded(matrix):
    return np.round(matrix, 6)


def mantel(a, b, draws=99_999):
    """One-sided p of Spearman's rank correlation, with the attributes of b permuted at random."""
    found = spearmanr(a[off], b[off]).statistic
    ranks = np.zeros((N, N))
    ranks[off] = np.argsort(np.argsort(b[off], kind="stable"), kind="stable")
    assert len(np.unique(b[off])) in (N * (N - 1), N * (N - 1) // 2), "no ties but those of symmetry"
    mean_ranks = np.zeros((N, N))
    values, inverse = np.unique(b[off], return_inverse=True)
    mean_ranks[off] = (np.bincount(inverse, ranks[off]) / np.bincount(inverse))[inverse]
    mine = np.zeros((N, N))
    mine[off] = spearman_ranks(a[off])
    mine[off] -= mine[off].mean()
    scale = np.sqrt((mine[off] ** 2).sum()) * np.sqrt(((mean_ranks[off] - mean_ranks[off].mean()) ** 2).sum())
    high = 0
    for _ in range(draws):
        order = random.permutation(N)
        high += (mine * mean_ranks[np.ix_(order, order)]).sum() / scale >= found - 1e-12
    return float(found), float((high + 1) / (draws + 1))


def spearman_ranks(values):
    from scipy.stats import rankdata
    return rankdata(values)


# Clustering: |correlation| of random columns, and random distances without ties.
clustering = []
for n, common in [(6, 0.5), (40, 0.7), (17, 0.0)]:
    columns = random.normal(size=(60, n)) + common * random.normal(size=(60, 4)) @ random.normal(size=(4, n))
    distance = rounded(1 - np.abs(np.corrcoef(columns.T)))
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    merges = linkage(squareform(distance), method="average")
    clustering.append({"distance": distance.tolist(), "linkage": merges.tolist(), "leaves": leaves_list(merges).tolist()})

# An affinity that depends on one matrix a little and on two others not at all.
known = random.normal(size=(N, N))
known = rounded((known + known.T) / 2)
logits = 0.25 * known + random.normal(size=(N, N)) + 3 * np.eye(N)
affinity = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
affinity = rounded(affinity)
shares = affinity / affinity.sum(1, keepdims=True)
row_entropy = entropy(shares, axis=1).mean()
agreement = []
for strength in [1.0, 0.06, 0.0]:
    other = random.normal(size=(N, N))
    other = rounded(strength * known + (0 if strength == 1 else 1) * (other + other.T) / 2)
    rho, p = mantel(affinity, other)
    kept = off.copy()
    kept[5, :] = kept[:, 5] = False
    without = spearmanr(affinity[kept], other[kept]).statistic
    agreement.append({"other": other.tolist(), "rho": rho, "p": p, "rho_without_5": float(without)})

# Labels, and probabilities that depend on them; attribute 3 is never predicted positive.
images = 150
common = random.normal(size=(images, 3)) @ random.normal(size=(3, N))
labels = common + random.normal(size=(images, N)) > random.normal(size=N)
probabilities = 1 / (1 + np.exp(-(2 * labels - 1) - common / 2 - random.normal(size=(images, N))))
probabilities[:, 3] *= 0.5
probabilities = probabilities.astype(np.float32)
probabilities[0, :4] = [0.0, 1.0, 0.5, 0.25]
answers = probabilities > 0.5
with np.errstate(invalid="ignore"):
    phi_labels, phi_answers = np.corrcoef(labels.T), np.corrcoef(answers.T)
upper = np.triu_indices(N, 1)
a, b = phi_labels[upper], phi_answers[upper]
both = ~(np.isnan(a) | np.isnan(b))
assert 0 < both.sum() < len(a)
a, b = a[both], b[both]
residual = {
    "labels": "".join("01"[int(label)] for label in labels.ravel()),
    "probabilities": [float(p) for p in probabilities.ravel()],
    "pairs": int(both.sum()),
    "difference": float(np.abs(a - b).mean()),
    "correlation": float(np.corrcoef(a, b)[0, 1]),
    "strength_labels": float(np.abs(a).mean()),
    "strength_predictions": float(np.abs(b).mean()),
}

# Reliability: numpy's histograms over 15 equal bins, in float64.
p = probabilities.ravel().astype(float)
edges = np.linspace(0, 1, 16)
reliability = {
    "count": np.histogram(p, edges)[0].tolist(),
    "positives": np.histogram(p[labels.ravel()], edges)[0].tolist(),
    "probability": np.histogram(p, edges, weights=p)[0].tolist(),
}

# Correlation of the synthetic faces' latents.
with open(HERE / "../../datasets/synthetic/copula.csv") as file:
    factor = np.array([[float(cell) for cell in row[3:]] for row in list(csv.reader(file))[1:]])
covariance = factor @ factor.T
scale = np.sqrt(np.diag(covariance))
truth = covariance / np.outer(scale, scale)

(HERE / "correlation.json").write_text(json.dumps({
    "clustering": clustering, "affinity": affinity.tolist(), "diagonal": float(np.diag(shares).mean()),
    "entropy": float(row_entropy), "neighbours": float(np.exp(row_entropy)), "agreement": agreement,
    "residual": residual, "reliability": reliability, "truth": truth.tolist(),
}) + "\n")

# Entry, attribute, cell row, cell column.
entry, attribute, y, x = np.indices((2, N, 2, 2))
np.save(HERE / "masks.npy", ((100 * entry + attribute + (2 * y + x) / 10) / 200).astype(np.float32))
