"""What to beware of in an evaluation: few users, and new items shown far more or less often than clicked."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isotherm.evaluation.results import ModelResult

FEW_USERS = 100  #: below which figures are uncertain
APART = 3.0  #: how many times one share is the other where models are warned of
_AT_RANDOM = ("mixed", "cold-items")  #: protocols whose new items are no guide to how many there are in life
_NEGLIGIBLE = 0.001  # shares below it are taken for it: a tenth of a percent of the lists is no flood


def warnings_of(split: Mapping[str, Any], models: Mapping[str, "ModelResult"]) -> list[str]:
    """Sentences for the person who reads the figures; none where there is nothing to beware of.

    split: as ``Evaluation.split`` describes it.  models: name -> result.
    """
    of_models = [_of_new_items(name, result, split) for name, result in models.items()]
    few = _of_users(split["candidates"], models, _few_at_cuts(split.get("folds", [])))
    return few + [warning for each in of_models for warning in each]


def _few_at_cuts(folds: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many of the cuts in time have few users, in one phrase."""
    users = [fold["candidates"]["all"]["users"] for fold in folds if "cut" in fold]
    few = [n for n in users if n < FEW_USERS]
    return [f"{len(few)} of {len(users)} cuts, the smallest: {min(few)}"] if few else []


def _of_users(
    candidates: Mapping[str, Any], models: Mapping[str, "ModelResult"], few_at_cuts: list[str]
) -> list[str]:
    """One sentence for all rows with few users."""
    rows = {
        f"{name} candidates": candidates[name]["users"]
        for name in ("cold", "warm", "all")
        if name in candidates
    }
    for by, sets in next(iter(models.values())).groups.items() if models else ():
        rows |= {f"by {by}, {label}": group.users for label, group in sets.get("all", {}).items()}
    few = [f"{row}: {users}" for row, users in rows.items() if users < FEW_USERS]
    few += few_at_cuts
    return [f"figures of fewer than {FEW_USERS} users are uncertain ({'; '.join(few)})"] if few else []


def _of_new_items(name: str, result: "ModelResult", split: Mapping[str, Any]) -> list[str]:
    """Of one model: the shortest lists in which new items' share is far from that of the clicks to find.

    Nothing where new items are all that is to be found: a log of such clicks tells nothing of the mix.
    """
    clicks, protocol = split["candidates"]["all"].get("new_item_share"), split.get("protocol")
    if clicks is None or clicks == 1:
        return []
    for metric in result.metrics["all"]:
        if metric.startswith("new_share@") and far_apart(shown := result.mean("all", metric), clicks):
            lists = f"{shown:.1%} of the lists{metric.removeprefix('new_share')}"
            told = f"{name}: new items fill {lists}, but get {clicks:.1%} of the clicks to find"
            return [f"{told}; {_cure(result, shown, clicks, protocol)}"]
    return []


def far_apart(first: float, second: float) -> bool:
    """Whether one share is at least three times the other.

    >>> from isotherm.evaluation.warnings import far_apart
    >>> far_apart(0.48, 0.155), far_apart(0.02, 0.05), far_apart(0.0, 0.02)
    (True, False, True)
    """
    low, high = (max(share, _NEGLIGIBLE) for share in sorted((first, second)))
    return high >= APART * low * (1 - 1e-9)  # 0.3 is three times 0.1, whatever floats say


def _cure(result: "ModelResult", shown: float, clicks: float, protocol: str | None) -> str:
    """What to set; ``parameters`` is a repr and so names every hyper-parameter."""
    if "new_item_share=" not in result.parameters:
        return "it has no setting for this; kernel-ridge and marec have: new_item_share"
    cure = f"set a {'lower' if shown > clicks else 'higher'} new_item_share"
    if protocol in _AT_RANDOM:
        return f"{cure}, but only once temporal says so: {protocol} hides items at random"
    return cure if clicks == 0 else f"{cure}, such as {clicks:.2g}"
