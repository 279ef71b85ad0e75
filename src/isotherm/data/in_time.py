"""Splits in time: train on all clicks before a cut, find what came after it.

A returning user has a click before the cut: all of them are the history. A new user has none: the earlier
clicks after the cut are the history, on which nothing is trained. To find is what comes next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from isotherm.checks import seeded, whole
from isotherm.data.click_ranks import earlier_clicks, user_click_ranks
from isotherm.data.existing import Existing
from isotherm.data.hidden_clicks import Split, check_log, check_sides, check_timed, checked_share
from isotherm.data.interactions import Interactions
from isotherm.data.moments import Clock, Moment, Period
from isotherm.data.wording import counted
from isotherm.errors import SplitError, brief
from isotherm.linalg.csr import binary, filter_entries, rows_of
from isotherm.types import Array, Bools

HOLDOUT, FOLD_IN = 0.2, 0.8  #: shares where none are given
_PROTOCOL = "temporal"


def temporal(
    clicks: Interactions,
    holdout: float | None = None,
    seed: int = 0,
    *,
    cut: Any = None,
    horizon: Any = None,
    next_k: int | None = None,
    fold_in: float = FOLD_IN,
) -> Split:
    """Train on all clicks before a cut in time; find what returning and new users click after it.

    holdout: the latest share of the clicks, which come after the cut; 0.2 if neither it nor ``cut`` is given.
    cut: instead of it, a date, a number of the log's own, or the share of the clicks before it, in (0, 1).
    horizon: how long after the cut the test goes on: a duration (a timedelta, "30d", "4w", "12h", a number of
    days), or the date that ends it; None for the end of the log.
    next_k: how many clicks of each user are to be found, the next ones; None for all until the horizon.
    fold_in: in (0, 1); the share of a new user's clicks, in the order of time, that is the history.
    seed: of the order of clicks of one moment, where ``next_k`` parts them.
    All clicks of one moment are on one side of the cut, and of a new user's history. Items without a click
    before the cut are cold; candidates are the items that somebody clicked by the end of the test, or with an
    item table all of its items that were there by then (``evaluate``).
    Raises SplitError where the log has no times, the cut is outside it, or no user is left to test.

    >>> import polars as pl
    >>> from isotherm import Interactions
    >>> from isotherm.data.splits import temporal
    >>> log = {"user_id": "aaabbb", "item_id": [1, 2, 3, 1, 3, 4], "timestamp": [1, 2, 6, 5, 6, 7]}
    >>> clicks = Interactions.from_frame(pl.DataFrame(log | {"user_id": list("aaabbb")}))
    >>> split = temporal(clicks, cut=5, fold_in=0.5)
    >>> split.histories.users.values.to_list(), split.returning.tolist()
    (['a', 'b'], [True, False])
    >>> split.histories.matrix.toarray().tolist(), split.targets.toarray().tolist()
    ([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    """
    rules = _Rules.checked(clicks, seed, next_k, fold_in)
    log = _TimedLog.of(clicks)
    start, settings = log.start(holdout, cut)
    end = None if horizon is None else log.end(start, horizon)
    settings |= {} if horizon is None else {"horizon": str(horizon)}
    period = Period(log.clock, start, end, log.last)
    return _split_at(clicks, period, rules, {**settings, **rules.settings()})


def rolling(
    clicks: Interactions,
    cuts: int = 4,
    holdout: float | None = None,
    seed: int = 0,
    *,
    cut: Any = None,
    horizon: Any = None,
    next_k: int | None = None,
    fold_in: float = FOLD_IN,
) -> "Cuts":
    """Several cuts in time (rolling origin): consecutive test periods, each trained on all before it.

    cuts: how many, >= 1.  holdout, cut: as of ``temporal``, where the first period starts.
    horizon: a duration: each period is so long, and the last one ends with the log where neither ``holdout``
    nor ``cut`` says where the first starts; or the date that ends the last one. Without a duration the
    periods have equally many clicks.
    next_k, fold_in, seed: as of ``temporal``, in each period.
    The splits are the folds that ``evaluate`` takes. Raises SplitError as ``temporal`` does, and where the
    log has too few moments for so many periods.

    >>> import numpy as np, polars as pl
    >>> from isotherm import Interactions
    >>> from isotherm.data.splits import rolling
    >>> times = np.arange(300)  # each of 30 users clicks one item after the other
    >>> log = pl.DataFrame({"user_id": times % 30, "item_id": times // 30, "timestamp": times})
    >>> folds = rolling(Interactions.from_frame(log), cuts=3, holdout=0.3)
    >>> [split.settings["cut"] for split in folds], [split.settings.get("end") for split in folds]
    (['210', '240', '270'], ['240', '270', None])
    """
    rules = _Rules.checked(clicks, seed, next_k, fold_in)
    log, n_cuts = _TimedLog.of(clicks), whole("cuts", cuts, 1)
    edges, settings = log.edges(n_cuts, holdout, cut, horizon)
    ends = [*edges[1:-1], None if edges[-1] > log.last else edges[-1]]
    periods = [Period(log.clock, start, end, log.last) for start, end in zip(edges, ends, strict=False)]
    return Cuts(clicks, periods, rules, {**settings, **rules.settings(), "cuts": n_cuts})


@dataclass(frozen=True, eq=False)
class Cuts(Sequence[Split]):
    """Splits at consecutive cuts in time, each made when it is asked for.  periods: what each tests."""

    clicks: Interactions
    periods: Sequence[Period]
    rules: "_Rules"
    settings: dict[str, Any]

    def __len__(self) -> int:
        return len(self.periods)

    @overload
    def __getitem__(self, number: int) -> Split: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Split]: ...
    def __getitem__(self, number: int | slice) -> Split | Sequence[Split]:
        """The split at a cut. Raises SplitError where it leaves nothing to train on or to find."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        period = self.periods[number]
        settings = {**self.settings, "fold": number + 1}
        is_last = number == len(self) - 1
        try:
            return _split_at(self.clicks, period, self.rules, settings, told=is_last)
        except SplitError as cause:
            at = period.clock.words(period.start)
            raise SplitError(f"cut {number + 1} of {len(self)} ({at}): {cause}; or fewer cuts") from cause


@dataclass(frozen=True)
class _Rules:
    """What is known and to be found of each user."""

    seed: int
    next_k: int | None
    fold_in: float

    @classmethod
    def checked(cls, clicks: Interactions, seed: int, next_k: int | None, fold_in: float) -> "_Rules":
        """Raises ParameterError, SplitError."""
        check_log("clicks", clicks)
        next_k = None if next_k is None else whole("next_k", next_k, 1)
        return cls(seeded("seed", seed), next_k, checked_share("fold_in", fold_in))

    def settings(self) -> dict[str, Any]:
        """As a split describes them."""
        next_k = {} if self.next_k is None else {"next_k": self.next_k}
        return {**next_k, "fold_in": self.fold_in, "fold_in_order": "time", "seed": self.seed}


@dataclass(frozen=True, eq=False)
class _TimedLog:
    """A log by its times alone."""

    clock: Clock
    ordered: Array  #: (n_clicks,) times, ascending

    @classmethod
    def of(cls, clicks: Interactions) -> "_TimedLog":
        """Raises SplitError where there are no times, or they are all the same."""
        check_timed(clicks, "the temporal split needs times")
        if clicks.timestamps is None:
            raise SplitError("the temporal split needs timestamps; name their column with --timestamp-column")
        log = cls(Clock.of(clicks.timestamps), np.sort(clicks.timestamps.to_physical().to_numpy()))
        if log.first == log.last:
            at = log.clock.words(log.last)
            raise SplitError(f"all clicks came at one moment ({at}): no cut in time can part them")
        return log

    @property
    def first(self) -> Moment:
        """Of the log's moments."""
        first: Moment = self.ordered[0].item()
        return first

    @property
    def last(self) -> Moment:
        """Of the log's moments."""
        last: Moment = self.ordered[-1].item()
        return last

    def start(self, holdout: float | None, cut: Any) -> tuple[Moment, dict[str, Any]]:
        """Where a test starts, and what said so. Raises SplitError."""
        if cut is None:
            holdout = checked_share("holdout", HOLDOUT if holdout is None else holdout)
            return self._at_share(1 - holdout), {"holdout": holdout}
        if holdout is not None:
            raise SplitError("holdout and cut both say where the test starts; give one of them")
        share = _share(cut)
        if share is not None:
            return self._at_share(share), {"train_share": share}
        start = self.clock.moment("cut", cut)
        if not self.first < start <= self.last:
            raise SplitError(
                f"cut {brief(cut)} leaves all clicks on one side: they came from "
                f"{self.clock.words(self.first)} to {self.clock.words(self.last)}"
            )
        return start, {}

    def end(self, start: Moment, horizon: Any) -> Moment | None:
        """Where a test from ``start`` on ends, None where with the log. Raises SplitError."""
        end = self._end_date(start, horizon)
        if end is None:
            end = start + self.clock.duration("horizon", horizon)
        return end if end <= self.last else None

    def edges(
        self, n: int, holdout: float | None, cut: Any, horizon: Any
    ) -> tuple[list[Moment], dict[str, Any]]:
        """Where ``n`` consecutive periods start, and where the last one ends; and what said so."""
        if horizon is None or self._end_date(self.first, horizon) is not None:
            start, settings = self.start(holdout, cut)
            end = None if horizon is None else self._end_date(start, horizon)
            settings |= {} if horizon is None else {"horizon": str(horizon)}
            return self._of_equal_clicks(start, end, n), settings
        length = self.clock.duration("horizon", horizon)
        settings = {}
        from_end = holdout is None and cut is None
        if from_end:
            start = self._after_last() - n * length
            if start <= self.first:
                raise SplitError(
                    f"{counted(n, 'period')} of {brief(horizon)}: longer than the log, which goes from "
                    f"{self.clock.words(self.first)} to {self.clock.words(self.last)}"
                )
        else:
            start, settings = self.start(holdout, cut)
        edges = [start + number * length for number in range(n + 1)]
        if from_end:  # the first click of each period says more than a moment that nobody chose
            edges[:-1] = [self._first_from(edge) for edge in edges[:-1]]
        if edges[-2] > self.last:
            raise SplitError(
                f"{counted(n, 'period')} of {brief(horizon)} from {self.clock.words(start)} on: beyond the "
                f"log, which ends {self.clock.words(self.last)}; ask for fewer cuts, or a shorter horizon"
            )
        return edges, settings | {"horizon": str(horizon)}

    def _at_share(self, share: float) -> Moment:
        """The moment before which about this share of the clicks came, never all and never none."""
        at: Moment = self.ordered[int(np.ceil((len(self.ordered) - 1) * share))].item()
        second: Moment = self.ordered[self.ordered > self.first][0].item()
        return max(at, second)

    def _of_equal_clicks(self, start: Moment, end: Moment | None, n: int) -> list[Moment]:
        """The edges of ``n`` periods with equally many clicks, as far as clicks of one moment allow."""
        low = int(np.searchsorted(self.ordered, start))
        high = len(self.ordered) if end is None else int(np.searchsorted(self.ordered, end))
        moments, firsts = np.unique(self.ordered[low:high], return_index=True)
        if len(moments) < n:
            raise SplitError(
                f"{n:,} test periods need so many moments, and the log has {len(moments):,} there; "
                "ask for fewer cuts, or a larger holdout"
            )
        edges, at = [start], 0
        for number in range(1, n):
            wanted = int(np.searchsorted(firsts, (high - low) * number / n))
            at = min(max(wanted, at + 1), len(moments) - n + number)
            edges.append(moments[at].item())
        return [*edges, self._after_last() if end is None else end]

    def _end_date(self, start: Moment, horizon: Any) -> Moment | None:
        """The moment of a horizon that is a date, None where it is a duration. Raises SplitError."""
        is_date = self.clock.is_date(horizon)
        if not is_date:
            return None
        end = self.clock.moment("horizon", horizon)
        if end <= start:
            raise SplitError(
                f"horizon {brief(horizon)} is not after the cut, {self.clock.words(start)}; "
                "give a later date, or a duration such as 30d"
            )
        return end

    def _first_from(self, moment: Moment) -> Moment:
        first: Moment = self.ordered[np.searchsorted(self.ordered, moment)].item()
        return first

    def _after_last(self) -> Moment:
        return self.last + 1 if isinstance(self.last, int) else float(np.nextafter(self.last, np.inf))


def _share(cut: Any) -> float | None:
    """A cut that is a share of the clicks."""
    try:
        number = float(cut)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 1 else None


def _split_at(
    clicks: Interactions, period: Period, rules: _Rules, settings: dict[str, Any], told: bool = True
) -> Split:
    """Train before the period, test in it.  told: whether clicks past its end are said to be skipped."""
    times = clicks.timestamps.to_physical().to_numpy()  # type: ignore[union-attr]
    parts = _Parts.of(clicks, times, period, rules)
    train = clicks.keep(parts.before)
    targets = filter_entries(clicks.matrix, parts.to_find)
    rows = np.flatnonzero(np.diff(targets.indptr))
    check_sides(train, len(rows), _PROTOCOL)
    histories = clicks.keep(parts.before | parts.folded).take_users(rows)
    dropped = dict(parts.skipped)
    past = int((~period.is_over_after(times)).sum()) if told else 0
    if past:
        dropped[f"clicks after the horizon, {period.clock.words(period.end)}"] = past  # type: ignore[arg-type]
    clicked = np.zeros(clicks.n_items, dtype=bool)
    clicked[clicks.matrix.indices[period.is_over_after(times)]] = True
    return Split(
        _PROTOCOL,
        train,
        histories,
        binary(targets[rows]),
        {**settings, **period.describe()},
        dropped,
        existing=Existing(clicked, period),
    )


@dataclass(frozen=True, eq=False)
class _Parts:
    """Which clicks are what, (n_clicks,) flags each; ``skipped`` says what is none of them."""

    before: Bools  #: the cut
    folded: Bools  #: into new users' histories
    to_find: Bools
    skipped: dict[str, int]

    @classmethod
    def of(cls, clicks: Interactions, times: Array, period: Period, rules: _Rules) -> "_Parts":
        """Of a log at a cut."""
        before, inside = times < period.start, period.holds(times)
        users = rows_of(clicks.matrix)
        n_before = np.bincount(users[before], minlength=clicks.n_users)
        of_new = inside & (n_before == 0)[users]
        folded = _earlier(clicks, times, of_new, rules.fold_in)
        with_history = n_before + np.bincount(users[folded], minlength=clicks.n_users) > 0
        to_find = inside & with_history[users] & ~folded
        skipped = _without_history(users, inside & ~with_history[users], clicks.n_users)
        if rules.next_k is not None:
            later = clicks.keep(to_find)
            ranks = user_click_ranks(later.matrix, np.random.default_rng(rules.seed), later.timestamps)
            n_all = int(to_find.sum())
            to_find[np.flatnonzero(to_find)[ranks >= rules.next_k]] = False
            past = n_all - int(to_find.sum())
            skipped |= {f"clicks after the next {rules.next_k} of their users": past} if past else {}
        return cls(before, folded, to_find, skipped)


def _earlier(clicks: Interactions, times: Array, some: Bools, share: float) -> Bools:
    """(n_clicks,) the earlier ``share`` of each user's clicks among ``some``."""
    earlier = np.zeros(clicks.n_clicks, dtype=bool)
    earlier[some] = earlier_clicks(filter_entries(clicks.matrix, some), times[some], share)
    return earlier


def _without_history(users: Array, clicks: Bools, n_users: int) -> dict[str, int]:
    """Why the users of ``clicks``, flags, have no history, and what is not asked for it."""
    n_clicks = np.bincount(users[clicks], minlength=n_users)
    single, several = int((n_clicks == 1).sum()), int((n_clicks > 1).sum())
    reasons = {
        "new users with a single click: there is no earlier one to recommend by": single,
        "new users whose clicks all came at one moment: there is no earlier one to recommend by": several,
        "clicks of these new users": int(n_clicks.sum()) if several else 0,
    }
    return {reason: n for reason, n in reasons.items() if n}
