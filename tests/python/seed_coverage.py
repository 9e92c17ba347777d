"""Simulates how often the 95 % interval over people and seeds covers the true difference.

    python tests/python/seed_coverage.py

needs numpy. A mean difference has a variance of 1 in all, of which `share` is between seeds and the rest between test
images. Both parts are normal, and the resamples of images have the true variance. Prints the rows of the table in
docs/statistics.md.
"""

import numpy as np

TRIALS, RESAMPLES = 4_000, 2_000
generator = np.random.default_rng(0)

print("| Seeds | Variance between seeds | Images alone | Images and seeds |\n|---:|---:|---:|---:|")
for seeds in [3, 5, 10]:
    for share in [0, 0.25, 0.5, 0.75]:
        covered = np.zeros(2)
        for _ in range(TRIALS):
            effects = generator.normal(0, np.sqrt(share * seeds), seeds)
            estimate = effects.mean() + generator.normal(0, np.sqrt(1 - share))
            images = generator.normal(estimate, np.sqrt(1 - share), RESAMPLES)
            drawn = effects[generator.integers(0, seeds, (RESAMPLES, seeds))].mean(axis=1) - effects.mean()
            for place, resamples in enumerate([images, images + drawn * np.sqrt(seeds / (seeds - 1))]):
                low, high = np.percentile(resamples, [2.5, 97.5])
                covered[place] += low <= 0 <= high
        print(f"| {seeds} | {share:.0%} | " + " | ".join(f"{100 * c / TRIALS:.0f} %" for c in covered) + " |")
