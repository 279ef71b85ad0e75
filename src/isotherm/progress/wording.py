"""How far a job is, in one line: its stage, number done of total, share, time spent, what is left.

    evaluate, model 2 of 4: fit ease, stage 2 of 2: invert, 3 of 9 blocks (33%) after 20 s, about 40 s left

A line holds ASCII alone, unless a name that a user has given does not.
"""

from collections.abc import Sequence

from isotherm.progress.running import Stage

_ROUNDING = 1e-6  # of a step, in the sum of its parts


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> from isotherm.progress.wording import duration
    >>> [duration(seconds) for seconds in (0.4, 59.6, 100, 3000, 7500)]
    ['0 s', '1 min', '1 min 40 s', '50 min', '2 h 5 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return _joined(whole // 60, "min", whole % 60, "s")
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else _joined(minutes // 60, "h", minutes % 60, "min")


def rounded(seconds: float) -> float:
    """An estimate with no more digits than it is worth: 5 s from 10 s on, 10 s from a minute on.

    >>> from isotherm.progress.wording import rounded
    >>> [rounded(seconds) for seconds in (4.3, 43.0, 97.0)]
    [4.0, 45.0, 100.0]
    """
    step = 1 if seconds < 10 else 5 if seconds < 60 else 10
    return float(step * round(seconds / step))


def place(stages: Sequence[Stage]) -> tuple[str, Stage | None]:
    """Where the work is, and the stage whose steps are counted; None where no stage runs.

    That is the one below the innermost fit that has said how many stages it has, or else the outermost with
    a count, or else the innermost.
    """
    number = _counted(stages)
    if number is None:
        return _path([_with_number(stage) for stage in stages]), None
    above = [_with_number(stage) for stage in stages[:number]]
    return _path([*above, stages[number].title]), stages[number]


def line(stages: Sequence[Stage], at: float) -> str:
    """Of the stages that run at a time of the clock, the outermost first."""
    where, counted = place(stages)
    if counted is None:
        return where
    told = [where, *_within(stages, counted)]
    text = ", ".join(told)
    if counted.total:
        text += f" ({min(counted.done / counted.total, 1):.0%})"
    text += f" after {duration(at - counted.began)}"
    left = counted.seconds_left(at)
    if left is not None:
        text += f", {'at most' if counted.may_stop else 'about'} {duration(rounded(left))} left"
    if stages[0] is not counted:
        text += f"; {duration(at - stages[0].began)} in all"
    return text


def _path(places: Sequence[str]) -> str:
    """One place within the other; that of a series without a title goes on the one before."""
    parts = [place if place.startswith(", ") else f": {place}" for place in places if place]
    return "".join(parts).removeprefix(": ")


def _joined(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first} {unit} {second} {smaller}" if second else f"{first} {unit}"


def _counted(stages: Sequence[Stage]) -> int | None:
    """The number of the stage whose steps are counted."""
    jobs = [number for number, stage in enumerate(stages) if not stage.is_series]
    if not jobs:
        return None
    planned = [number for number in jobs if stages[number].n_stages]
    if planned:
        return min(planned[-1] + 1, len(stages) - 1)
    return next((number for number in jobs if stages[number].total), jobs[-1])


def _with_number(stage: Stage) -> str:
    """A stage that others run in, and which of its parts is running."""
    if stage.n_stages:
        return f"{stage.title}, stage {min(max(stage.n_begun, 1), stage.n_stages)} of {stage.n_stages}"
    if not stage.is_series or stage.total == 1:
        return stage.title
    number = int(stage.done + _ROUNDING) + 1
    return f"{stage.title}, {stage.unit} {number}" + (f" of {stage.total:,.0f}" if stage.total else "")


def _within(stages: Sequence[Stage], counted: Stage) -> list[str]:
    """What is done of the counted stage, and of the innermost one with a count of its own."""
    told = [part for part in (counted.status or _count(counted),) if part]
    inner = [stage for stage in stages[stages.index(counted) + 1 :] if stage.total or stage.status]
    if inner:
        told.append(f"now {inner[-1].title}, {inner[-1].status or _count(inner[-1])}")
    return told


def _count(stage: Stage) -> str:
    if not stage.total:
        return ""
    done = int(min(stage.done, stage.total) + _ROUNDING)
    return f"{done:,} of {stage.total:,.0f}" + f" {stage.unit}".rstrip()
