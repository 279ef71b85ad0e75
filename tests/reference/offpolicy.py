"""Off-policy estimators as their papers write them, row by row."""

import math


def ips(rewards, target, logged):
    """Horvitz and Thompson 1952: 1/n Σ π(a)/μ(a) r."""
    return sum(p / q * r for r, p, q in zip(rewards, target, logged, strict=True)) / len(rewards)


def snips(rewards, target, logged):
    """Swaminathan and Joachims 2015, eq. 10: Σ w r / Σ w."""
    weights = [p / q for p, q in zip(target, logged, strict=True)]
    return sum(w * r for w, r in zip(weights, rewards, strict=True)) / sum(weights)


def doubly_robust(rewards, actions, target, logged, predicted):
    """Dudík, Langford and Li 2011, eq. 1.  target, predicted: [row][action]."""
    total = 0.0
    for r, a, pi, mu, q in zip(rewards, actions, target, logged, predicted, strict=True):
        total += sum(p * each for p, each in zip(pi, q, strict=True)) + pi[a] / mu * (r - q[a])
    return total / len(rewards)


def switch_dr(rewards, actions, target, logged, predicted, threshold):
    """Wang, Agarwal and Dudík 2017, SWITCH-DR: the correction only where the weight is at most τ."""
    total = 0.0
    for r, a, pi, mu, q in zip(rewards, actions, target, logged, predicted, strict=True):
        total += sum(p * each for p, each in zip(pi, q, strict=True))
        total += pi[a] / mu * (r - q[a]) if pi[a] / mu <= threshold else 0.0
    return total / len(rewards)


def cascade_weight(ratios, place):
    """McInerney et al. 2020: the product of the ratios up to a place, from 0."""
    return math.prod(ratios[: place + 1])


def kish(weights):
    """Kish 1965: (Σw)² / Σw²."""
    return sum(weights) ** 2 / sum(w * w for w in weights)


def standard_error(users, terms, value):
    """Of a mean of rows with users as clusters: √(n/(n−1) Σ_u (Σ_rows (term − value))²) / rows."""
    sums = {}
    for user, term in zip(users, terms, strict=True):
        sums[user] = sums.get(user, 0.0) + term - value
    n = len(sums)
    return math.sqrt(n / (n - 1) * sum(s * s for s in sums.values())) / len(terms)
