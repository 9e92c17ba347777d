"""Recomputes a report's results from its runs with scikit-learn, statsmodels and NumPy.

    python tests/python/check_results.py RUNS_FOLDER REPORT_FOLDER

needs numpy, pandas, pyarrow, scikit-learn and statsmodels. Counts, scores and tests must agree to 1e-9; bootstrap
intervals use NumPy's generator and must agree to a tenth of their width.
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


# Labels, and for each (variant, seed) the correct predictions of the primary head, [image, attribute] each.
labels, right, people = None, {}, None
accuracy = pd.read_csv(results / "accuracy.csv")
for summary in json.loads((results / "results.json").read_text())["runs"]:
    variant, seed = summary["variant"], summary["seed"]
    table = pd.read_parquet(runs / summary["id"] / "predictions.parquet")
    if table["label"].isna().any() or any(rate is None for rate in summary["train_positive_rate"]):
        sys.exit(f"{summary['id']} has labels that are not known: this script checks reports on known labels only")
    labels = table["label"].to_numpy(dtype=bool).reshape(-1, 40)
    if "identity" in table and table["identity"].notna().all():
        people = np.unique(table["identity"].to_numpy()[::40], return_inverse=True)[1]
    for head in ["fln", "cln"]:
        probabilities = table[f"probability_{head}"].to_numpy(dtype=np.float32, na_value=np.nan).reshape(-1, 40)
        if np.isnan(probabilities).all():
            continue
        right[variant, seed] = (probabilities > 0.5) == labels
        rows = accuracy.query("variant == @variant and seed == @seed and head == @head").reset_index(drop=True)
        for i, row in rows.iterrows():
            truth, p = labels[:, i], probabilities[:, i]
            agree(row["correct"], right[variant, seed][:, i].sum(), "correct")
            if 0 < truth.sum() < len(truth):
                agree(row["balanced_accuracy"], balanced_accuracy_score(truth, p > 0.5), "balanced accuracy")
            agree(row["f1"], f1_score(truth, p > 0.5), "F1")
            agree(row["average_precision"], average_precision_score(truth, p), "average precision")
            agree(row["auroc"], roc_auc_score(truth, p), "AUROC")
            bins = np.minimum((p.astype(float) * 15).astype(int), 14)
            error = sum(abs(truth[bins == k].sum() - p[bins == k].sum(dtype=float)) for k in range(15)) / len(p)
            agree(row["calibration_error"], error, "calibration error")

if people is None:
    people = np.arange(len(labels))
images = np.bincount(people)
draws = np.random.default_rng(1).integers(0, len(images), (4000, len(images)))
drawn_images = images[draws].sum(axis=1)
comparisons = pd.read_csv(results / "comparisons.csv", dtype={"seeds": str})
# Names of version 0.1.0.
comparisons = comparisons.rename(columns=lambda name: name.replace("_right", "_correct"))
for (variant, reference, seeds), rows in comparisons.groupby(["variant", "reference", "seeds"], sort=False):
    pairs = [(right[variant, int(s)], right[reference, int(s)]) for s in seeds.split()]
    differences = [a.mean() - b.mean() for a, b in pairs]
    mean, attributes = rows.iloc[0], rows.iloc[1:].reset_index(drop=True)
    agree(mean["difference"], np.mean(differences), "difference in mean")
    if len(pairs) > 1:
        agree(mean["deviation_over_seeds"], np.std(differences, ddof=1), "deviation over seeds")
    by_person = np.bincount(people, weights=sum(a.sum(1).astype(int) - b.sum(1) for a, b in pairs) / len(pairs))
    low, high = np.percentile(by_person[draws].sum(axis=1) / (40 * drawn_images), [2.5, 97.5])
    agree(mean["interval_low"], low, "interval", 0.1 * (high - low))
    agree(mean["interval_high"], high, "interval", 0.1 * (high - low))
    p = np.ones(40)
    for i in range(40):
        counts = [((a[:, i] & ~b[:, i]).sum(), (b[:, i] & ~a[:, i]).sum()) for a, b in pairs]
        if all(a > b for a, b in counts) or all(a < b for a, b in counts):
            p[i] = max(mcnemar([[0, a], [b, 0]], exact=True).pvalue for a, b in counts)
        agree(attributes["only_variant_correct"][i], sum(a for a, _ in counts), "only the variant")
        agree(attributes["only_reference_correct"][i], sum(b for _, b in counts), "only the reference")
        agree(attributes["p"][i], p[i], "p")
    for found, expected in zip(attributes["p_holm"], multipletests(p, method="holm")[1]):
        agree(found, expected, "Holm's p")
print(f"{checked:,} values of {report} agree")
