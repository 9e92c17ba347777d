"""Recomputes a report's results from its runs with scikit-learn, statsmodels and NumPy.

    python tests/python/check_results.py RUNS_FOLDER REPORT_FOLDER

needs numpy, pandas, pyarrow, scikit-learn and statsmodels. Counts, scores and tests must agree to 1e-9; bootstrap
intervals use NumPy's generator and must agree to a tenth of their width. Unknown labels are left out, and so is an
attribute without a known label.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

runs, report = Path(sys.argv[1]), Path(sys.argv[2])
results = report / "results"
checked = 0


def agree(found, expected, what, tolerance=1e-9):
    global checked
    checked += 1
    assert abs(found - expected) <= tolerance, f"{what}: {found}, expected {expected}"


# Labels (NaN if unknown), and the correct predictions of the primary head of each (variant, seed): [image, attribute].
labels, right, people = None, {}, None
accuracy = pd.read_csv(results / "accuracy.csv")
for summary in json.loads((results / "results.json").read_text())["runs"]:
    variant, seed = summary["variant"], summary["seed"]
    table = pd.read_parquet(runs / summary["id"] / "predictions.parquet")
    labels = table["label"].to_numpy(dtype=float, na_value=np.nan).reshape(-1, 40)
    if "identity" in table and table["identity"].notna().all():
        people = np.unique(table["identity"].to_numpy()[::40], return_inverse=True)[1]
    for head in ["fln", "cln"]:
        probabilities = table[f"probability_{head}"].to_numpy(dtype=np.float32, na_value=np.nan).reshape(-1, 40)
        if np.isnan(probabilities).all():
            continue
        right[variant, seed] = (probabilities > 0.5) == labels
        rows = accuracy.query("variant == @variant and seed == @seed and head == @head").reset_index(drop=True)
        for i, row in rows.iterrows():
            known = ~np.isnan(labels[:, i])
            truth, p = labels[known, i].astype(bool), probabilities[known, i]
            if not known.any():
                assert np.isnan(row["accuracy"]), f"{row['attribute']} has an accuracy and no label"
                continue
            agree(row["correct"], right[variant, seed][:, i].sum(), "correct")
            agree(row["f1"], f1_score(truth, p > 0.5), "F1")
            if 0 < truth.sum() < len(truth):
                agree(row["balanced_accuracy"], balanced_accuracy_score(truth, p > 0.5), "balanced accuracy")
                agree(row["auroc"], roc_auc_score(truth, p), "AUROC")
            else:
                assert np.isnan(row["auroc"]), f"{row['attribute']} has labels of one class and an AUROC"
            if truth.any():
                agree(row["average_precision"], average_precision_score(truth, p), "average precision")
            else:
                assert np.isnan(row["average_precision"]), f"{row['attribute']} has no positive label"
            bins = np.minimum((p.astype(float) * 15).astype(int), 14)
            error = sum(abs(truth[bins == k].sum() - p[bins == k].sum(dtype=float)) for k in range(15)) / len(p)
            agree(row["calibration_error"], error, "calibration error")

if people is None:
    people = np.arange(len(labels))
known = ~np.isnan(labels)
scored = known.any(axis=0)


def by_person(values):
    """Sums of `values`, [image, attribute], over the images of each person."""
    return np.stack([np.bincount(people, weights=values[:, i]) for i in range(40)], axis=1)


def mean_over_attributes(numbers, known_labels):
    """The mean of an accuracy or a difference over the attributes with known labels, of each row."""
    with np.errstate(invalid="ignore"):
        return np.nanmean(numbers / known_labels, axis=-1)


# From this number of seeds on, seeds are resampled, too.
least_seeds = json.loads((results / "bootstrap.json").read_text()).get("least_seeds", np.inf)
known_by_person = by_person(known)
units = len(known_by_person)
draws = np.random.default_rng(1).multinomial(units, np.full(units, 1 / units), 4000)
drawn_labels = draws @ known_by_person
comparisons = pd.read_csv(results / "comparisons.csv", dtype={"seeds": str})
# Names of version 0.1.0.
comparisons = comparisons.rename(columns=lambda name: name.replace("_right", "_correct"))
for (variant, reference, seeds), rows in comparisons.groupby(["variant", "reference", "seeds"], sort=False):
    pairs = [(right[variant, int(s)], right[reference, int(s)]) for s in seeds.split()]
    gained = [a.sum(axis=0) - b.sum(axis=0).astype(int) for a, b in pairs]
    differences = [mean_over_attributes(each, known.sum(axis=0)) for each in gained]
    mean, attributes = rows.iloc[0], rows.iloc[1:].reset_index(drop=True)
    agree(mean["difference"], np.mean(differences), "difference in mean")
    if len(pairs) > 1:
        agree(mean["deviation_over_seeds"], np.std(differences, ddof=1), "deviation over seeds")
    if units < 20:
        assert rows[["interval_low", "interval_high", "p"]].isna().all(axis=None), "a test of fewer than 20 people"
        continue
    by_seed = [mean_over_attributes(draws @ by_person(a.astype(int) - b), drawn_labels) for a, b in pairs]
    resampled = np.mean(by_seed, axis=0)
    if len(pairs) >= least_seeds:
        seeds_drawn = np.random.default_rng(2).integers(0, len(pairs), (len(draws), len(pairs)))
        drawn = np.take_along_axis(np.array(by_seed).T, seeds_drawn, axis=1).mean(axis=1)
        resampled = resampled + (drawn - resampled) * np.sqrt(len(pairs) / (len(pairs) - 1))
    low, high = np.percentile(resampled, [2.5, 97.5])
    agree(mean["interval_low"], low, "interval", 0.1 * (high - low))
    agree(mean["interval_high"], high, "interval", 0.1 * (high - low))
    p = np.ones(40)
    for i in np.flatnonzero(scored):
        counts = [((a[:, i] & ~b[:, i]).sum(), (b[:, i] & ~a[:, i]).sum()) for a, b in pairs]
        if all(a > b for a, b in counts) or all(a < b for a, b in counts):
            p[i] = max(mcnemar([[0, a], [b, 0]], exact=True).pvalue for a, b in counts)
        agree(attributes["only_variant_correct"][i], sum(a for a, _ in counts), "only the variant")
        agree(attributes["only_reference_correct"][i], sum(b for _, b in counts), "only the reference")
        agree(attributes["p"][i], p[i], "p")
    assert attributes["p"][~scored].isna().all(), f"{variant}: an attribute without a label has a p-value"
    for found, expected in zip(attributes["p_holm"][scored], multipletests(p[scored], method="holm")[1]):
        agree(found, expected, "Holm's p")
print(f"{checked:,} values of {report} agree")
