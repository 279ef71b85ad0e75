"""How far from 0 a figure of users is, by Student's t; and by their signs where all of them are alike."""

import math

LEVEL = 0.95


def student_t(value: float, error: float, n_users: int) -> tuple[float, float]:
    """Half of the 95% interval around a value, and the two-sided p of 0.

    error: standard error over n_users >= 1 users; 0 where all are alike. A t-test would then be sure however
    few they are: n of them agree by chance with p = 2^(1 − n), as in a sign test, and the interval is
    unbounded where that is 0.05 or more.
    """
    from scipy.stats import t

    if error == 0:
        alike = 2.0 ** (1 - n_users)
        return 0.0 if alike < 1 - LEVEL else math.inf, alike if value else 1.0
    half = float(t.ppf((1 + LEVEL) / 2, n_users - 1)) * error
    return half, float(2 * t.sf(abs(value) / error, n_users - 1))
