"""Kernel ridge, literally: dense, float64, one item at a time."""

import numpy as np


def solved(kernel, ridge, row):
    """Z_j = (K + r·I)⁻¹·k_j."""
    return np.linalg.inv(kernel + ridge * np.eye(len(kernel))) @ row


def left_out_prediction(kernel, ridge, y, j):
    """The prediction for item j by a ridge that never saw it."""
    others = np.arange(len(kernel)) != j
    return y[others] @ solved(kernel[np.ix_(others, others)], ridge, kernel[others, j])


def posterior_variance(kernel, ridge, row, prior_variance):
    """k_jj − k_j·(K + r·I)⁻¹·k_j."""
    return prior_variance - row @ solved(kernel, ridge, row)


def taste_loss(kernel, y, expected, inverse_temperature, popularity_weight):
    """Mean over users of −Σ_j y_uj·log softmax_j(t·ŷ_uj + b·g_j) / clicks, histories at the mean length."""
    lengths = y.sum(axis=1, keepdims=True)
    histories = y * lengths.mean() / lengths
    total = 0.0
    for history, clicks in zip(histories, y, strict=True):
        predicted = np.array([left_out_prediction(kernel, 1.0, history, j) for j in range(len(kernel))])
        logits = inverse_temperature * predicted + popularity_weight * expected
        logits -= logits.max()
        total -= clicks @ (logits - np.log(np.exp(logits).sum())) / clicks.sum()
    return total / len(y)


def cold_column(scales, weights, taste, popularity, mean_length):
    """c_j at EASE's scale.

    taste: (K over the training items, its row for j, k_jj, the training items); popularity: (K, row,
    log-clicks).
    """
    kernel, row, prior_variance, training_items = taste
    z = np.zeros(len(weights))
    z[training_items] = solved(kernel, scales.ridge, row)
    a, own = scales.smoothing, np.diag(weights)
    unrelaxed = (weights - np.diag(own)) / (1 - own)
    expected = popularity[2] @ solved(popularity[0], 1.0, popularity[1])
    raw = scales.inverse_temperature * mean_length * ((1 - a) * z + a * (unrelaxed @ z))
    raw = raw + scales.popularity_weight * expected
    explained = 1 - posterior_variance(kernel, scales.ridge, row, prior_variance) / prior_variance
    factor = scales.cold_scale * explained**scales.variance_exponent
    return factor * (scales.slope * raw + scales.intercept)
