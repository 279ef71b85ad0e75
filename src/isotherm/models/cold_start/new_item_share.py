"""The share that never-clicked items have in lists, and how it is made what it should be.

How often new items stand in lists is a monotone function of the factor of their scores. Where the log has
times, the factor is chosen so that their share of the lists is their share of the clicks in the latest
periods, unless that would cost the ranking of all items more than half a percent.

Before that, cold scores are brought nearer to each user's own scores of warm items (``user_scaling``), so
that the share carries over from the users of a fit to those who come later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.checks import between, is_text
from isotherm.data import Interactions
from isotherm.linalg.csr import row_blocks, select_columns
from isotherm.memory import users_per_block
from isotherm.models.cold_start.calibration import WarmAndCold, best_of, user_ndcgs
from isotherm.models.cold_start.user_scaling import (
    LEAST_NEW_ITEMS,
    OWN,
    UserScaling,
    own_ratios,
    own_share,
)
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide
from isotherm.streams import stream
from isotherm.types import Float32, Float64, Int64, ItemIndex, Scores, UserItems

_SAMPLE_USERS = 1_500  # on whose lists a factor is chosen
TOLD_USERS = 500  #: by whose lists a share is told that no times set
_PRIOR_FACTOR = 2.0  # of new items' share of the catalogue
_TOLERATED = 0.9965  # of EASE's ndcg@10: of the half percent that all items may lose, a third is kept back
_ERRORS = 1.0
_STEPS = 0.8 ** np.arange(21)  # of the share, tried from above: down to a hundredth
_LOG_FACTORS = (-20.0, 20.0)
_HALVINGS = 50


def share_setting(value: Any) -> float | str:
    """``value`` as a number in (0, 1) or "auto", or ParameterError."""
    return "auto" if is_text(value, "auto") else between("new_item_share", value, 0, 1, "()")


def given_share(setting: float | str) -> float | None:
    """The share that a setting gives, None where it is to be learned."""
    return None if setting == "auto" else float(setting)


@dataclass(frozen=True, eq=False)
class UserLists:
    """The best items of some users.

    lists: of both kinds, seen ones left out.  lengths: (n_users,) clicks of their histories that count.
    """

    lists: WarmAndCold
    lengths: Int64

    def ratios(self) -> Float64:
        """r of each user (see ``UserScaling``), NaN where there is none."""
        return own_ratios(self.lists.warm.scores[:, -1], self.lists.cold.scores[:, 0])

    def user_scaling(self, own: float = OWN) -> UserScaling:
        """b from the regression of log r on the log of the length, r̄ the geometric mean of r.  own: λ."""
        mean = float(max(self.lengths.mean(), 1.0))
        ratios = self.ratios()
        usable = ~np.isnan(ratios) & (self.lengths > 0)
        lengths, logs = np.log(self.lengths[usable].astype(np.float64)), np.log(ratios[usable])
        if not len(logs):
            return UserScaling(mean_clicks=mean)
        slope = float(np.polyfit(lengths, logs, 1)[0]) if np.ptp(lengths) > 0 else 0.0
        return UserScaling(float(np.clip(-slope, 0, 1)), mean, own, float(np.exp(logs.mean())))

    def scaled(self, scaling: UserScaling) -> "UserLists":
        """The same with cold scores by that scaling."""
        factors = scaling.factors(self.lengths, self.ratios())
        return UserLists(self.lists.scaled(factors[:, None]), self.lengths)

    def factor_for(self, share: float) -> float:
        """The largest factor of cold scores that gives new items no more than this share of the lists.

        1 where no factor gives them more: their scores are all below 0.
        """
        low, high = _LOG_FACTORS
        if self.share_at(float(np.exp(high))) <= share:
            return 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self.share_at(float(np.exp(middle))) > share:
                high = middle
            else:
                low = middle
        return float(np.exp(low))

    def share_at(self, factor: float) -> float:
        """The share of new items in the lists, cold scores taken ``factor`` times."""
        return self.lists.scaled(np.float32(factor)).cold_share()


@dataclass(frozen=True, eq=False)
class CutInTime:
    """One cut in time, as a model fitted before it ranks what came after it.

    fitted: users of the fit, on whose lists a factor is chosen.  tested: users active after the cut.
    targets: what they clicked.  reference: (n_tested,) ndcg@10 of each by the scores of warm items alone,
    whenever they were clicked.
    n_new: items that came after the cut.  share: of the clicks to find, on these items.
    """

    fitted: UserLists
    tested: UserLists
    targets: UserItems
    reference: Float64
    n_new: int
    share: float

    def ndcgs(self, share: float, own: float = OWN) -> Float64:
        """(n_tested,) ndcg@10 of each once new items have this share of the lists of the fitted users.

        own: λ of the scaling of users.
        """
        scaling = self.fitted.user_scaling(own)
        factor = self.fitted.scaled(scaling).factor_for(share)
        lists = self.tested.scaled(scaling).lists.scaled(np.float32(factor))
        return user_ndcgs(lists.merged_columns(), self.targets)

    def ndcgs_alone(self) -> Float64:
        """(n_tested,) ndcg@10 of each by warm items alone."""
        return user_ndcgs(self.tested.lists.warm.columns, self.targets)


def lists_by(
    score: Callable[[UserItems], Scores],
    histories: UserItems,
    warm: ItemIndex,
    cold: ItemIndex,
) -> UserLists:
    """The best unseen warm and cold items for histories (n_users, n_items), by scores of all n_items."""
    return lists_by_factors(score, histories, warm, cold, [None])[0]


def lists_by_factors(
    score: Callable[[UserItems], Scores],
    histories: UserItems,
    warm: ItemIndex,
    cold: ItemIndex,
    factors: Sequence[Float32 | None],
) -> list[UserLists]:
    """The same for each of several factors (n_warm,) of the scores of warm items; None for scores alone."""
    warm_lists: list[list[TopK]] = [[] for _ in factors]
    cold_lists = []
    with stage("rank", histories.shape[0], "users") as advance:
        for block in row_blocks(histories, users_per_block(histories.shape[1])):
            scores = score(block)
            hide(scores, block)
            cold_lists.append(best_of(np.ascontiguousarray(scores[:, cold]), cold))
            of_warm = np.ascontiguousarray(scores[:, warm])
            for lists, factor in zip(warm_lists, factors, strict=True):
                lists.append(best_of(of_warm if factor is None else of_warm * factor, warm))
            advance(len(scores))
    lengths = np.diff(select_columns(histories, warm).indptr)
    shared = _joined(cold_lists)
    return [UserLists(WarmAndCold(_joined(lists), shared), lengths) for lists in warm_lists]


def _joined(blocks: Sequence[TopK]) -> TopK:
    return TopK(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))


def sampled_histories(user_items: UserItems, seed: int, most: int = _SAMPLE_USERS) -> UserItems:
    """Of some users who have clicks, at most so many."""
    rng, users = stream(seed, "users of lists"), np.flatnonzero(np.diff(user_items.indptr))
    return user_items[np.sort(rng.permutation(users)[:most])]


def expected_share(cuts: Sequence[CutInTime], n_new: int) -> float:
    """The share of the next clicks that will surely fall on ``n_new`` new items.

    As at the cuts, by their number; no more than the mean of all cuts less its standard error, as one period
    is not the next.
    """
    ordered = sorted(cuts, key=lambda cut: cut.n_new)
    numbers, shares = [0, *(cut.n_new for cut in ordered)], [0.0, *(cut.share for cut in ordered)]
    error = np.std(shares[1:], ddof=1) / np.sqrt(len(cuts)) if len(cuts) > 1 else 0.0
    return float(np.clip(np.mean(shares[1:]) - error, 0, np.interp(n_new, numbers, shares)))


def bearable_share(cuts: Sequence[CutInTime], share: float, own: float = OWN) -> float:
    """The largest share up to this one under which all items are surely ranked almost as well as by EASE.

    Surely: one standard error of what the new items cost or gain is held back. Almost: what they cost later
    is more than at the cuts, so of the half percent that is tolerated a part is kept back.
    own: λ of the scaling of users.
    """
    reference = np.concatenate([cut.reference for cut in cuts])
    alone = np.concatenate([cut.ndcgs_alone() for cut in cuts])
    for step in _STEPS:
        ndcgs = np.concatenate([cut.ndcgs(step * share, own) for cut in cuts])
        error = float((ndcgs - alone).std() / np.sqrt(len(alone)))
        if float((ndcgs - _TOLERATED * reference).mean()) >= _ERRORS * error:
            return float(step * share)
    return 0.0


@dataclass(frozen=True, eq=False)
class ShareGoal:
    """The share of lists that new items shall have.

    stand_in: clicked items that play new ones where these are too few: those that came last, or drawn ones.
    at_cuts: what new items had of the clicks after each cut in time.  expected: what they will have.
    own: λ of the scaling of users.
    """

    share: float
    stand_in: ItemIndex | None = None
    at_cuts: Sequence[float] = ()
    expected: float | None = None
    own: float = OWN

    def __str__(self) -> str:
        told = f"new items get {self.share:.1%} of the lists"
        if self.expected is None:
            return told
        at_cuts = ", ".join(f"{share:.1%}" for share in self.at_cuts)
        told += f"; they had {at_cuts} of the latest clicks, and at least {self.expected:.1%} are expected"
        return told if self.share == self.expected else f"{told}, but more would cost the others"


def learned_goal(cuts: Sequence[CutInTime], n_new: int, stand_in: ItemIndex | None) -> ShareGoal:
    """From cuts in time, for ``n_new`` items; too few count as those that came after the last cut."""
    expected = expected_share(cuts, cuts[-1].n_new if n_new < LEAST_NEW_ITEMS else n_new)
    own = own_share(n_new)
    share = bearable_share(cuts, expected, own)
    return ShareGoal(share, stand_in, [cut.share for cut in cuts], expected, own)


@dataclass(frozen=True)
class NewItemScale:
    """How scores of never-clicked items are scaled.

    factor: for all users.  by_user: after it.  share: what these items then have of the lists.
    """

    by_user: UserScaling
    factor: float
    share: float

    def __str__(self) -> str:
        return f"new items get {self.share:.1%} of the lists; new_item_share sets another share"


def most_share(clicks: Interactions, n_new: int) -> ShareGoal:
    """The most that new items may have of lists where no times say how much is due to them.

    A prior: twice their share of the catalogue (in MovieLens latest-small the newest 7% of the films have 16%
    of the clicks that come next). Hidden at random, they are known to be as good as the others: 1.
    """
    most = 1.0 if clicks.hidden_at_random else min(1.0, _PRIOR_FACTOR * n_new / clicks.n_items)
    return ShareGoal(most, own=own_share(n_new))


def settled_scale(
    lists: UserLists | None, goal: ShareGoal | None, most: ShareGoal = ShareGoal(1.0)
) -> NewItemScale:
    """What reaches the goal in these lists; scores as they are, up to ``most`` of the lists, without one.

    lists: those of some users by scores as they are, None where there are no new items.
    """
    if lists is None:
        return NewItemScale(UserScaling(), 1.0, 0.0)
    if goal is None:
        share = lists.share_at(1.0)
        if share <= most.share:
            return NewItemScale(UserScaling(), 1.0, share)
        goal = most
    scaling = lists.user_scaling(goal.own)
    lists = lists.scaled(scaling)
    factor = lists.factor_for(goal.share)
    return NewItemScale(scaling.after(factor), factor, lists.share_at(factor))


def told_share(goal: ShareGoal | None, scale: NewItemScale) -> str:
    """What new items get, for a person."""
    if goal is None and scale.factor != 1:
        return f"{scale} (this is twice their share of the catalogue: no times say how much is due to them)"
    return str(scale if goal is None else goal)
