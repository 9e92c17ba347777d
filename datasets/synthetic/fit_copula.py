"""Fits the Gaussian copula from which gal-bench samples the labels of its synthetic faces.

    python fit_copula.py celeba-statistics.csv celeba-phi.csv noise.csv copula.csv

Every attribute i is a standard normal latent z_i cut at a threshold t_i, so that z_i > t_i at the rate of the attribute
in CelebA's training labels. The correlation of the latents starts from the pairwise (tetrachoric) ones that give the
published phi, projected to the nearest correlation matrix (Higham 2002). It is then refined, so that the phi
coefficients of the whole model are as close to the published ones as a positive definite matrix allows.

A face is rendered from x_i = a_i z_i + sqrt(1 - a_i^2) e_i with independent e_i: the label is z_i > t_i, and the image
shows x_i > t_i. `noise.csv` states the rate at which the two disagree; the column `fidelity` is the matching a_i.

Needs numpy and scipy. Deterministic: the same input gives the same file.
"""

import csv
import sys

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.stats import norm

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
SMALLEST_EIGENVALUE = 1e-3


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def both_above(t, u, r):
    """P(X > t, Y > u) for standard normals of correlation r (Drezner and Wesolowsky 1990); arrays broadcast."""
    top = np.arcsin(r)[..., None] / 2
    s = np.sin(top * (1 + NODES))
    t, u = np.asarray(t)[..., None], np.asarray(u)[..., None]
    inside = np.exp(-(t**2 - 2 * s * t * u + u**2) / (2 * (1 - s**2)))
    integral = (inside * WEIGHTS).sum(-1) * top[..., 0] / (2 * np.pi)
    return norm.sf(t[..., 0]) * norm.sf(u[..., 0]) + integral


def tetrachoric(t, u, joint):
    """The correlation at which P(X > t, Y > u) = joint, clamped to +/- 0.995."""
    gap = lambda r: both_above(t, u, np.asarray(r)) - joint
    ends = (-0.995, 0.995)
    if gap(ends[0]) >= 0:
        return ends[0]
    if gap(ends[1]) <= 0:
        return ends[1]
    return brentq(gap, *ends, xtol=1e-10)


def nearest_correlation(matrix, rounds=500):
    """Higham's alternating projections with Dykstra's correction."""
    y, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(rounds):
        r = y - correction
        values, vectors = np.linalg.eigh(r)
        x = (vectors * np.maximum(values, SMALLEST_EIGENVALUE)) @ vectors.T
        correction = x - r
        y = x.copy()
        np.fill_diagonal(y, 1)
    scale = np.sqrt(np.diag(x))
    return x / np.outer(scale, scale)


def refine(matrix, thresholds, target, spread):
    """Least squares fit of the implied phi coefficients, over correlation matrices B B^T with unit rows of B."""
    n = len(thresholds)
    i, j = np.triu_indices(n, 1)
    t, u = thresholds[i], thresholds[j]
    independent = norm.sf(t) * norm.sf(u)

    def loss(flat):
        b = flat.reshape(n, n)
        length = np.linalg.norm(b, axis=1, keepdims=True)
        unit = b / length
        r = np.clip((unit @ unit.T)[i, j], -0.998, 0.998)
        phi = (both_above(t, u, r) - independent) / spread[i, j]
        density = np.exp(-(t**2 - 2 * r * t * u + u**2) / (2 * (1 - r**2))) / (2 * np.pi * np.sqrt(1 - r**2))
        error = phi - target[i, j]
        slope = 2 * error * density / spread[i, j]
        full = np.zeros((n, n))
        full[i, j] = full[j, i] = slope
        grad = full @ unit
        grad = (grad - unit * (grad * unit).sum(1, keepdims=True)) / length
        return (error**2).sum(), grad.ravel()

    start = np.linalg.cholesky(matrix)
    best = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 3000, "maxfun": 4000})
    b = best.x.reshape(n, n)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    return nearest_correlation(b @ b.T)


def fidelity(threshold, rate, disagreement):
    """The correlation of label and image latents at which they disagree at this rate."""
    if disagreement == 0:
        return 1.0
    gap = lambda a: 2 * (rate - both_above(threshold, threshold, np.asarray(a))) - disagreement
    return brentq(gap, 0.0, 0.999999, xtol=1e-10)


def main(statistics_path, phi_path, noise_path, out_path):
    statistics, phi_rows, noise = read(statistics_path), read(phi_path), read(noise_path)
    names = [row["attribute"] for row in statistics]
    assert names == [row["attribute"] for row in phi_rows] == [row["attribute"] for row in noise]
    rates = np.array([int(row["positive"]) / int(row["images"]) for row in statistics])
    target = np.array([[float(row[name]) for name in names] for row in phi_rows])
    deviation = np.sqrt(rates * (1 - rates))
    spread = np.outer(deviation, deviation)
    thresholds = norm.isf(rates)

    n = len(names)
    latent = np.eye(n)
    for i in range(n):
        for j in range(i):
            joint = rates[i] * rates[j] + target[i, j] * spread[i, j]
            latent[i, j] = latent[j, i] = tetrachoric(thresholds[i], thresholds[j], joint)
    near = nearest_correlation(latent)
    final = refine(near, thresholds, target, spread)
    factor = np.linalg.cholesky(final)

    def worst(matrix):
        i, j = np.tril_indices(n, -1)
        phi = (both_above(thresholds[i], thresholds[j], matrix[i, j]) - rates[i] * rates[j]) / spread[i, j]
        error = np.abs(phi - target[i, j])
        k = error.argmax()
        return f"largest phi error {error[k]:.4f} ({names[i[k]]}, {names[j[k]]}), mean {error.mean():.5f}"

    print(f"smallest eigenvalue: pairwise {np.linalg.eigvalsh(latent)[0]:.3f}, final {np.linalg.eigvalsh(final)[0]:.4f}")
    print("nearest correlation:", worst(near))
    print("refined:            ", worst(final))

    with open(out_path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["attribute", "threshold", "fidelity", *names])
        for i, name in enumerate(names):
            wanted = float(noise[i]["disagreement"])
            a = fidelity(thresholds[i], rates[i], wanted)
            numbers = [thresholds[i], a, *factor[i]]
            writer.writerow([name, *(f"{value:.6f}" for value in numbers)])


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
