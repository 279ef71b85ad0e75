"""The share that never-clicked items have in lists, and how it is made what it should be.

How often new items stand in lists is a monotone function of the factor of their scores. Where the log has
times, the factor is chosen so that their share of the lists is their share of the clicks in the latest
periods, unless that would cost the ranking of all items more than half a percent.

A cold score is a sum over a history, and grows faster with it than the best unseen warm scores do: so cold
scores are first divided by a power of the history's length, which is learned.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isotherm.checks import between, is_text
from isotherm.data import Interactions
from isotherm.linalg.csr import row_blocks, rows_of, select_columns
from isotherm.memory import users_per_block
from isotherm.models.cold_start.calibration import WarmAndCold, best_of, surely_at_least, user_ndcgs
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide
from isotherm.state import Plain
from isotherm.streams import stream
from isotherm.types import Float32, Float64, Int64, ItemIndex, Scores, UserItems
from isotherm.untrusted import Number

LEAST_NEW_ITEMS = 20  #: fewer cannot be given a share of lists: what came last stands for them
_SAMPLE_USERS = 1_500  # on whose lists a factor is chosen
_PRIOR_FACTOR = 2.0  # of new items' share of the catalogue
_TRUST = 0.5  # in what the cuts say of a factor's transfer to later users
_TOLERATED = 0.995  # of EASE's ndcg@10, with one standard error held back
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


@dataclass(frozen=True)
class LengthLaw:
    """Cold scores of a history of n clicks are multiplied by (n / n̄)^−b.

    exponent: b.  mean_clicks: n̄.

    >>> import numpy as np
    >>> from isotherm.models.cold_start.new_item_share import LengthLaw
    >>> LengthLaw(exponent=0.5, mean_clicks=16.0).factors(np.array([4, 16, 64]))
    array([2. , 1. , 0.5], dtype=float32)
    """

    exponent: float = 0.0
    mean_clicks: float = 1.0

    def factors(self, lengths: Int64) -> Float32:
        """Of histories with so many clicks, (n_users,)."""
        shares = np.maximum(lengths, 1) / self.mean_clicks
        return np.asarray(shares**-self.exponent, dtype=np.float32)

    def of(self, histories: UserItems, cold: ItemIndex) -> Float32:
        """Of histories (n_users, n_items), in which clicks on the ``cold`` items do not count, (n_users,)."""
        is_cold = np.zeros(histories.shape[1], dtype=bool)
        is_cold[cold] = True
        rows = rows_of(histories)[~is_cold[histories.indices]]
        return self.factors(np.bincount(rows, minlength=histories.shape[0]))

    @staticmethod
    def state(name: str) -> Plain:
        """How it is saved."""
        schema = {"exponent": Number(least=0, most=1), "mean_clicks": Number(above=0)}
        return Plain(name, schema, asdict, _law_of)


def _law_of(given: Any) -> LengthLaw:
    return LengthLaw(**given)


@dataclass(frozen=True, eq=False)
class UserLists:
    """The best items of some users.

    lists: of both kinds, seen ones left out.  lengths: (n_users,) clicks of their histories that count.
    """

    lists: WarmAndCold
    lengths: Int64

    def length_law(self) -> LengthLaw:
        """From the regression of log(10th best warm score / best cold score) on the log of the length."""
        mean = float(max(self.lengths.mean(), 1.0))
        warm, cold = self.lists.warm.scores[:, -1], self.lists.cold.scores[:, 0]
        usable = np.isfinite(warm) & np.isfinite(cold) & (warm > 0) & (cold > 0) & (self.lengths > 0)
        logs = np.log(self.lengths[usable].astype(np.float64))
        if len(logs) < 2 or np.ptp(logs) == 0:
            return LengthLaw(0.0, mean)
        slope = float(np.polyfit(logs, np.log(warm[usable] / cold[usable]), 1)[0])
        return LengthLaw(float(np.clip(-slope, 0, 1)), mean)

    def with_law(self, law: LengthLaw) -> "UserLists":
        """The same with cold scores by that law."""
        return UserLists(self.lists.scaled(law.factors(self.lengths)[:, None]), self.lengths)

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

    def factors_for(self, share: float) -> tuple[float, float]:
        """That give new items this share of the lists of the fitted users, and of the tested ones."""
        law = self.fitted.length_law()
        return self.fitted.with_law(law).factor_for(share), self.tested.with_law(law).factor_for(share)

    def ndcgs(self, share: float, transfer: float = 1.0) -> Float64:
        """(n_tested,) ndcg@10 of each once new items have this share of the lists of the fitted users.

        transfer: by which the factor that gives them this share is multiplied.
        """
        law = self.fitted.length_law()
        factor = transfer * self.fitted.with_law(law).factor_for(share)
        lists = self.tested.with_law(law).lists.scaled(np.float32(factor))
        return user_ndcgs(lists.merged_columns(), self.targets)


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


def sampled_histories(user_items: UserItems, seed: int) -> UserItems:
    """Of some users who have clicks."""
    rng, users = stream(seed, "users of lists"), np.flatnonzero(np.diff(user_items.indptr))
    return user_items[np.sort(rng.permutation(users)[:_SAMPLE_USERS])]


def expected_share(cuts: Sequence[CutInTime], n_new: int) -> float:
    """The share of the next clicks that will fall on ``n_new`` new items.

    As at the cuts, by their number; no more than the mean of all cuts, as a single one says little.
    """
    ordered = sorted(cuts, key=lambda cut: cut.n_new)
    numbers, shares = [0, *(cut.n_new for cut in ordered)], [0.0, *(cut.share for cut in ordered)]
    return float(min(np.interp(n_new, numbers, shares), np.mean(shares[1:])))


def transfer_at(cuts: Sequence[CutInTime], share: float) -> float:
    """By which the factor for a share of the fitted users' lists is multiplied, to reach it for later users.

    They have seen less, or more, of what is best for them. Halfway to the mean of the cuts, which are few.
    """
    logs = [np.log(tested / fitted) for fitted, tested in (cut.factors_for(share) for cut in cuts)]
    return float(np.exp(_TRUST * np.mean(logs)))


def bearable_share(cuts: Sequence[CutInTime], share: float, transfer: float = 1.0) -> float:
    """The largest share up to this one under which all items are surely ranked within half a percent of EASE.

    Surely: one standard error of the users' differences is held back.
    """
    reference = np.concatenate([cut.reference for cut in cuts])
    for step in _STEPS:
        ndcgs = np.concatenate([cut.ndcgs(step * share, transfer) for cut in cuts])
        if surely_at_least(ndcgs, reference, _TOLERATED, _ERRORS):
            return float(step * share)
    return 0.0


@dataclass(frozen=True, eq=False)
class ShareGoal:
    """The share of lists that new items shall have.

    stand_in: clicked items that play new ones where these are too few: those that came last, or drawn ones.
    at_cuts: what new items had of the clicks after each cut in time.  expected: what they will have.
    transfer: by which the factor for this share of the fitted users' lists is multiplied, for later users.
    """

    share: float
    stand_in: ItemIndex | None = None
    at_cuts: Sequence[float] = ()
    expected: float | None = None
    transfer: float = 1.0

    def __str__(self) -> str:
        told = f"new items get {self.share:.1%} of the lists"
        if self.expected is None:
            return told
        told += " of later users"
        at_cuts = ", ".join(f"{share:.1%}" for share in self.at_cuts)
        told += f"; they had {at_cuts} of the latest clicks, and {self.expected:.1%} are expected"
        return told if self.share == self.expected else f"{told}, but more would cost the others"


def learned_goal(cuts: Sequence[CutInTime], n_new: int, stand_in: ItemIndex | None) -> ShareGoal:
    """From cuts in time, for ``n_new`` items; too few count as those that came after the last cut."""
    expected = expected_share(cuts, cuts[-1].n_new if n_new < LEAST_NEW_ITEMS else n_new)
    transfer = transfer_at(cuts, expected)
    share = bearable_share(cuts, expected, transfer)
    return ShareGoal(share, stand_in, [cut.share for cut in cuts], expected, transfer)


@dataclass(frozen=True)
class NewItemScale:
    """How scores of never-clicked items are scaled.  share: what these then have of the lists."""

    law: LengthLaw
    factor: float
    share: float

    def __str__(self) -> str:
        return f"new items get {self.share:.1%} of the lists; new_item_share sets another share"


def most_share(clicks: Interactions, n_new: int) -> float:
    """The most that new items may have of lists where no times say how much is due to them.

    A prior: twice their share of the catalogue (in MovieLens latest-small the newest 7% of the films have 16%
    of the clicks that come next). Hidden at random, they are known to be as good as the others: 1.
    """
    return 1.0 if clicks.hidden_at_random else min(1.0, _PRIOR_FACTOR * n_new / clicks.n_items)


def settled_scale(lists: UserLists | None, goal: ShareGoal | None, most: float = 1.0) -> NewItemScale:
    """What reaches the goal in these lists; scores as they are, up to ``most`` of the lists, without one.

    lists: those of some users by scores as they are, None where there are no new items.
    """
    if lists is None:
        return NewItemScale(LengthLaw(), 1.0, 0.0)
    if goal is None:
        share = lists.share_at(1.0)
        if share <= most:
            return NewItemScale(LengthLaw(), 1.0, share)
        goal = ShareGoal(most)
    law = lists.length_law()
    lists = lists.with_law(law)
    factor = goal.transfer * lists.factor_for(goal.share)
    return NewItemScale(law, factor, lists.share_at(factor))


def told_share(goal: ShareGoal | None, scale: NewItemScale) -> str:
    """What new items get, for a person: the goal, and what the lists of now say where they differ from it."""
    if goal is None and scale.factor != 1:
        return f"{scale} (this is twice their share of the catalogue: no times say how much is due to them)"
    if goal is None:
        return str(scale)
    return str(goal) + (
        f"; in the lists of the fitted users, {scale.share:.1%}" if goal.transfer != 1 else ""
    )
