"""MARec (Monteil et al. 2024), literally: every users × items array is built."""

import numpy as np
from scipy.optimize import nnls


def eq3_smoothed_cosine(z, delta):
    """G_ij = z_i·z_j / (‖z_i‖‖z_j‖ + δ), zero diagonal."""
    n = len(z)
    g = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            scale = np.linalg.norm(z[i]) * np.linalg.norm(z[j]) + delta
            if i != j and scale > 0:
                g[i, j] = z[i] @ z[j] / scale
    return g


def closeness(values):
    """1 − |Δ| / range for numbers; 0 where one is missing."""
    low, high = np.nanmin(values), np.nanmax(values)
    scaled = (values - low) / ((high - low) or 1.0)
    g = np.nan_to_num(1 - np.abs(scaled[:, None] - scaled[None, :]), nan=0.0)
    np.fill_diagonal(g, 0)
    return g


def eq5_terms(similarities, second_order):
    """G⁽ᵏ⁾ for each field and G⁽ᵏ⁾∘G⁽ˡ⁾ for each pair."""
    terms = list(similarities)
    if second_order:
        k = len(similarities)
        terms += [similarities[a] * similarities[b] for a in range(k) for b in range(a + 1, k)]
    return terms


def weighted_least_squares(x, terms, columns, nonclick_weight, non_negative=False):
    """μ of the regression of every cell x_uj, j in columns, on the cells of X·G_t, with an intercept."""
    predictors = np.stack(
        [(x @ g)[:, columns].ravel() for g in terms] + [np.ones(x[:, columns].size)], axis=1
    )
    target = x[:, columns].ravel()
    root = np.sqrt(np.where(target > 0, 1.0, nonclick_weight))[:, None]
    if not non_negative:
        return np.linalg.lstsq(predictors * root, target * root[:, 0], rcond=None)[0][:-1]
    signed = np.column_stack([predictors, -np.ones(len(target))])  # a free intercept: the difference of two
    return nnls(signed * root, target * root[:, 0])[0][:-2]


def weighted_loss(mu, predictors, target, weight):
    """Weighted squared error with the best intercept for this μ."""
    error = target - predictors @ mu
    return float(weight @ (error - weight @ error / weight.sum()) ** 2)


def condition(predictors, weight):
    """Condition number of the centred, scaled, weighted regression."""
    centred = predictors - weight @ predictors / weight.sum()
    scale = np.sqrt(weight @ centred**2)
    if (scale == 0).any():
        return np.inf
    return float(np.linalg.cond((centred / scale).T * weight @ (centred / scale)))


def eq6_strengths(counts, threshold, beta, decay="linear"):
    """d_j = (β/p)(p − n_j) for n_j <= p, else 0; or β for n_j < p; or β·exp(−n_j/p), cut below 1% of β."""
    if decay == "constant":
        return np.where(counts < threshold, beta, 0.0)
    if decay == "exponential":
        return np.where(np.exp(-counts / threshold) >= 0.01, beta * np.exp(-counts / threshold), 0.0)
    return np.where(counts <= threshold, beta / threshold * (threshold - counts), 0.0)


def eq9_weights(x, g, d, alpha, l2):
    """Θ = Θ̃ − P·diag(Θ̃)/diag(P) with Θ̃ = P(XᵀX + Xᵀf_A), f_A = αXGD, λ₀ = 0."""
    aligned = alpha * x @ g @ np.diag(d)
    gram = x.T @ x
    p = np.linalg.inv(gram + l2 * np.eye(len(g)) + x.T @ aligned)
    raw = p @ (gram + x.T @ aligned)
    return raw - p * (np.diag(raw) / np.diag(p))[None, :]


def eq9_collective_weights(x, features, g, d, alpha, l2, l0):
    """The same with λ₀FᵀF; features: Fᵀ, (n_items, n_features)."""
    aligned = alpha * x @ g @ np.diag(d)
    known = x.T @ x + l0 * features @ features.T + x.T @ aligned
    p = np.linalg.inv(known + l2 * np.eye(len(g)))
    raw = p @ known
    return raw - p * (np.diag(raw) / np.diag(p))[None, :]


def eq10_weights(x, aligned, l2, nonclick_weight, self_penalty):
    """Θ_·i = (XᵀW_iX + XᵀW_iB + λ₁I + Γ)⁻¹(XᵀW_iX_·i + XᵀW_iB_·i), item by item; aligned: B."""
    n = x.shape[1]
    theta = np.zeros((n, n))
    for i in range(n):
        weighted = x.T * np.where(x[:, i] > 0, 1.0, nonclick_weight)
        penalty = np.zeros((n, n))
        penalty[i, i] = self_penalty
        left = weighted @ x + weighted @ aligned + l2 * np.eye(n) + penalty
        theta[:, i] = np.linalg.solve(left, weighted @ x[:, i] + weighted @ aligned[:, i])
    return theta


def ials_step(x, predicted, confidence, others, own_l2, w, alpha):
    """One side of iALS with predicted cells, row by row: argmin over each row of P with ``others`` = Q held.

    Σ_clicks (1 − p·q)² + w Σ_cells of clicked columns (p·q)² + αw Σ_j c_j (b_j − p·q_j)² + λ_u ‖p‖²
    """
    clicked = x.any(axis=0)
    rows = []
    for u in range(len(x)):
        weight = x[u] + w * clicked + alpha * w * confidence
        target = x[u] + alpha * w * confidence * predicted[u]
        left = (others.T * weight) @ others + own_l2[u] * np.eye(others.shape[1])
        rows.append(np.linalg.solve(left, others.T @ target))
    return np.array(rows)
