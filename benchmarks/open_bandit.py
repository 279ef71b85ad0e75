"""Off-policy estimates on real lists: the Open Bandit data of a fashion site (Saito et al. 2021).

Two policies ran side by side for a week, one that shows items at random and Bernoulli Thompson sampling, each
logged with its propensities. The click rate of each is estimated from the log of the other, and held against
its own: for three campaigns and both directions. The small public sample holds 10,000 shown items of each.

Thompson sampling changed from hour to hour. What it would have shown is taken from its own log as the share
of each item at each position, over the week; of its clicks nothing is used but the rate that is compared.

Needs --data: a folder with random/ and bts/, in each all/all.csv, men/men.csv and women/women.csv with the
columns item_id, position, click, propensity_score.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import data_folder, report

from isotherm.errors import OverlapError
from isotherm.experiment.offpolicy import (
    ActionTable,
    Estimate,
    LogColumns,
    Logged,
    OffPolicyOptions,
    OverlapRules,
    estimate,
    log_of,
)

CAMPAIGNS = ("all", "men", "women")
POLICIES = ("random", "bts")
COLUMNS = LogColumns(reward="click", propensity="propensity_score")
NORMAL = 1.96
CLIP = 100.0  # where a log is refused for its few huge weights: biased, but told
#: of estimates that are shown but not held to anything: every log gives one
NO_RULES = OverlapRules(least_size=2, most_share=1, most_missing=1)


def main() -> None:
    folder = data_folder(__doc__)
    rows: list[dict[str, Any]] = []
    values: dict[str, Any] = {}
    for campaign in CAMPAIGNS:
        frames = {policy: read(folder, policy, campaign) for policy in POLICIES}
        for logged, wanted in (POLICIES, POLICIES[::-1]):
            name = f"{campaign}: {wanted} from the log of {logged}"
            values[name] = compared(frames[logged], frames[wanted], wanted)
            rows += held(name, values[name])
    report("open_bandit", rows, values=values)


def read(folder: Path, policy: str, campaign: str) -> pl.DataFrame:
    """The shown items of one policy in one campaign."""
    frame = pl.read_csv(folder / policy / campaign / f"{campaign}.csv")
    return frame.select("item_id", "position", "click", "propensity_score")


def compared(logged: pl.DataFrame, wanted: pl.DataFrame, policy: str) -> dict[str, Any]:
    """All estimates of a policy from the log of another, beside its own click rate."""
    log = log_of(logged, COLUMNS)
    truth = own_rate(wanted)
    target = ActionTable(shares(log, wanted, alike=policy == "random"))
    try:
        refused = None
        estimate(log, target)
    except OverlapError as error:
        refused = str(error)
    found = estimate(log, target, OffPolicyOptions(rules=NO_RULES))
    told = {name: judged(each, truth) for name, each in found.estimates.items()}
    if refused:
        clipped = estimate(log, target, OffPolicyOptions(clip=CLIP, rules=NO_RULES)).estimates["snips"]
        told[f"snips clipped at {CLIP:g}"] = judged(clipped, truth)
    return {
        "own_rate": truth,
        "logged_rate": found.logged.estimate,
        "estimates": told,
        "overlap": found.overlap.to_dict(),
        "refused": refused,
    }


def own_rate(frame: pl.DataFrame) -> dict[str, float]:
    """The click rate of a policy in its own log, and its standard error."""
    rate = float(frame["click"].mean())
    return {
        "rate": rate,
        "error": float(np.sqrt(rate * (1 - rate) / frame.height)),
        "clicks": int(frame["click"].sum()),
    }


def shares(log: Logged, wanted: pl.DataFrame, alike: bool) -> np.ndarray:
    """(n_items, n_positions) with which a policy shows the items of ``log``: all alike, or as it did."""
    n_positions = log.n_positions
    items = {item: row for row, item in enumerate(log.items.to_list())}
    if alike:
        n = max(len(items), wanted["item_id"].n_unique())
        return np.full((len(items), n_positions), 1 / n)
    table = np.zeros((len(items), n_positions))
    counts = wanted.group_by("item_id", "position").len()
    for item, position, n in counts.iter_rows():
        if item in items:
            table[items[item], position - 1] = n
    shown = np.bincount(wanted["position"].to_numpy() - 1, minlength=n_positions)
    return table / shown


def judged(found: Estimate, truth: dict[str, float]) -> dict[str, Any]:
    """An estimate beside the policy's own rate, which is one of a sample, too."""
    error = float(np.hypot(found.error, truth["error"]))
    return {
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "own_rate_inside": bool(found.low <= truth["rate"] <= found.high),
        "apart": abs(found.estimate - truth["rate"]) / error,
    }


def held(name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Held to it where the log says enough: no further from the own rate than chance lets two samples be."""
    target = None if values["refused"] else f"<= {NORMAL}"
    inside = float(values["estimates"]["doubly-robust"]["own_rate_inside"])
    of_interval = {"what": f"{name}, own rate within the interval of doubly-robust", "measured": inside}
    rows = [{**of_interval, "target": None if values["refused"] else ">= 1"}]
    return rows + [
        {
            "what": f"{name}, {method}, standard errors from its own rate",
            "measured": each["apart"],
            "target": target,
        }
        for method, each in values["estimates"].items()
    ]


if __name__ == "__main__":
    main()
