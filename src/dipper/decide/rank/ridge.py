"""The regression behind the linear ranker: one for each offer, each leaning on a common one.

An offer's weights are those of the common regression plus a correction, and the correction is
pulled towards nothing with the weight of 40 outcomes. Features are standardised by the sums
themselves, so that neither their unit nor their offset matters to the pull.
"""

from __future__ import annotations

import numpy as np

from dipper.decide.rank.model import Floats

# How many outcomes the pull towards the shared weights is worth; chosen by measurement (ADR 0012).
SHARED_OUTCOMES = 40.0
# The common regression needs hardly any: one outcome keeps it solvable.
COMMON_OUTCOMES = 1.0
# Before outcomes say otherwise, rewards scatter as if one had been seen that was off by 0.22.
NOISE_FIRST = 0.05


def fit(gram: Floats, moment: Floats, square: float, total: float) -> tuple[Floats, float]:
    """Weights ((k + 1) × d, the last row shared) and noise from sums of k offers.

    `gram` (k × d × d) and `moment` (k × d) are sums of x xᵀ and x·reward, `square` that of
    reward², `total` the number of rows.
    """
    d = gram.shape[1]
    standard = _standard(gram.sum(axis=0), total)
    gram = standard @ gram @ standard.T
    moment = moment @ standard.T
    eye = np.eye(d)
    shared = np.linalg.solve(gram.sum(axis=0) + COMMON_OUTCOMES * eye, moment.sum(axis=0))
    own = np.linalg.solve(gram + SHARED_OUTCOMES * eye, (moment - gram @ shared)[..., None])
    weights = shared + own[..., 0]
    misfit = square - 2 * float((weights * moment).sum())
    misfit += float(np.einsum("ki,kij,kj->", weights, gram, weights))
    noise = ((max(misfit, 0.0) + NOISE_FIRST) / (total + 1.0)) ** 0.5
    return np.vstack([weights, shared]) @ standard, noise


def _standard(gram: Floats, total: float) -> Floats:
    """The matrix that takes a vector to standardised features; the first is the intercept."""
    mean = gram[0] / total
    deviation = np.sqrt(np.maximum(np.diagonal(gram) / total - mean**2, 0.0))
    # A feature that never varies says nothing; leave it as it is rather than divide by nothing.
    varies = deviation > 1e-6
    varies[0] = False
    matrix = np.diag(np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 1.0))
    matrix[:, 0] -= np.where(varies, mean * np.diagonal(matrix), 0.0)
    return matrix
