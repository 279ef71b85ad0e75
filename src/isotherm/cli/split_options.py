"""What ``isotherm evaluate`` hides: the options of a protocol or of a person's own split, and the split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.errors import ParameterError

if TYPE_CHECKING:
    from isotherm.data import Interactions, Split

    ReadClicks = Callable[[Path], Interactions]

PROTOCOLS = "cold-items, mixed, strong, leave-one-out, temporal or ramp-up"
#: protocol -> the options that not every protocol takes
_SOME_TAKE = {
    "mixed": ("warm_holdout",),
    "strong": ("fold_in", "fold_in_order"),
    "leave-one-out": ("negatives",),
    "temporal": ("cut", "cuts", "horizon", "next_k", "fold_in"),
}
_HOLDOUT = 0.2  # where none is given


@dataclass(frozen=True)
class LogFiles:
    """The log that a protocol splits, or the logs that are a split already."""

    interactions: o.InteractionsFile = None
    train: Annotated[Path | None, typer.Option(help="Your own split: clicks to learn from.")] = None
    test: Annotated[Path | None, typer.Option(help="Your own split: clicks to find.")] = None
    valid: Annotated[Path | None, typer.Option(help="Your own split: clicks for early stopping.")] = None

    def inputs(self) -> dict[str, Path | None]:
        """Option -> file."""
        return {
            "--interactions": self.interactions,
            "--train": self.train,
            "--test": self.test,
            "--valid": self.valid,
        }


@dataclass(frozen=True)
class ProtocolOptions:
    """Which protocol splits a log, and how; None where an option is not given."""

    protocol: Annotated[str | None, typer.Option(help=f"{PROTOCOLS}.")] = None
    holdout: Annotated[
        float | None,
        typer.Option(
            help="Share of items or users to hide; temporal: of the latest clicks. 0.2 if not given."
        ),
    ] = None
    folds: Annotated[
        int | None,
        typer.Option(help="cold-items, mixed, strong: hide every item or user once, in so many folds."),
    ] = None
    warm_holdout: Annotated[
        float | None, typer.Option(help="mixed: share of the other clicks to hide; 0.1 if not given.")
    ] = None
    fold_in: Annotated[
        float | None,
        typer.Option(
            help="strong, temporal: share of a new user's clicks that is history; 0.8 if not given."
        ),
    ] = None
    fold_in_order: Annotated[
        str | None,
        typer.Option(
            help="strong: which clicks are history: random ones, or by time the earlier ones; random if not "
            "given. temporal goes by time."
        ),
    ] = None
    negatives: Annotated[
        int | None, typer.Option(help="leave-one-out: sampled negatives; if not given, all items are ranked.")
    ] = None
    seed: Annotated[int, typer.Option(help="For the split and the intervals.")] = 0


@dataclass(frozen=True)
class SplitOptions(ProtocolOptions):
    """The same with where a test in time starts, how long it goes on, and what it asks for."""

    cut: Annotated[
        str | None,
        typer.Option(
            help="temporal: where the test starts: a date, a time as in the log, or the share of the clicks "
            "before it, like 0.8."
        ),
    ] = None
    cuts: Annotated[
        int | None,
        typer.Option(help="temporal: so many consecutive test periods, each trained on all before it."),
    ] = None
    horizon: Annotated[
        str | None,
        typer.Option(
            help="temporal: how long a test goes on: a duration like 30d, 4w or 12h, or the date that ends "
            "it; to the end of the log if not given."
        ),
    ] = None
    next_k: Annotated[
        int | None,
        typer.Option(help="temporal: find the next so many clicks of each user; if not given, all."),
    ] = None

    seeds: Annotated[
        int | None,
        typer.Option(
            help="cold-items, mixed, strong, leave-one-out: so many splits, with the seeds --seed, "
            "--seed + 1, …; the mean of each user, and the spread between splits."
        ),
    ] = None

    @property
    def hidden_share(self) -> float:
        """The share to hide, 0.2 where none is given."""
        return _HOLDOUT if self.holdout is None else self.holdout

    def check(self) -> None:
        """Raise ParameterError for what is no possible value, before the log is read."""
        from isotherm.checks import one_of, seeded, whole
        from isotherm.data.hidden_clicks import FOLD_IN_ORDERS, checked_share

        seeded("seed", self.seed)
        for name, least in (
            ("negatives", 0),
            ("folds", 2),
            ("cuts", 1),
            ("next_k", 1),
            ("seeds", 1),
        ):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), least)
        for name in ("holdout", "warm_holdout", "fold_in"):
            if getattr(self, name) is not None:
                checked_share(name, getattr(self, name))
        if self.fold_in_order is not None:
            one_of("fold_in_order", self.fold_in_order, FOLD_IN_ORDERS)

    def of_other_protocols(self, protocol: str | None) -> dict[str, Any]:
        """Option -> value of the options that this protocol does not take."""
        taken = _SOME_TAKE.get(protocol or "", ())
        return {
            f"--{name.replace('_', '-')}": getattr(self, name)
            for name in dict.fromkeys(name for names in _SOME_TAKE.values() for name in names)
            if name not in taken
        }

    def of_protocol(self, protocol: str) -> dict[str, Any]:
        """Argument -> value of the options that not every protocol takes, where they are given."""
        values = {name: getattr(self, name) for name in _SOME_TAKE.get(protocol, ())}
        return {name: value for name, value in values.items() if value is not None}


def read_split(
    files: LogFiles, options: SplitOptions, read_clicks: "ReadClicks"
) -> "Split | Sequence[Split]":
    """A person's own split, the split that a protocol makes, or its folds. Raises ParameterError."""
    if (files.interactions is None) == (files.train is None and files.test is None):
        raise ParameterError("evaluate needs either --interactions with --protocol, or --train with --test")
    if files.interactions is None:
        return _own_split(files, options, read_clicks)
    protocol = _known_protocol(options.protocol)
    if files.valid is not None:
        raise ParameterError("--valid goes with --train and --test")
    return _protocol_split(files.interactions, protocol, options, read_clicks)


def _own_split(files: LogFiles, options: SplitOptions, read_clicks: "ReadClicks") -> "Split":
    from isotherm.data.splits import given

    if files.train is None or files.test is None:
        raise ParameterError("--train and --test go together")
    strong = options.protocol == "strong"
    if not strong and options.protocol is not None:
        raise ParameterError(
            f"--train and --test are a split already; --protocol {options.protocol} does not apply"
        )
    check_unused(
        "--train and --test are a split already:",
        {
            "--folds": options.folds,
            "--seeds": options.seeds,
            "--holdout": options.holdout,
            **options.of_other_protocols("strong"),
        },
    )
    train, test = read_clicks(files.train), read_clicks(files.test)
    valid = None if files.valid is None else read_clicks(files.valid)
    return given(train, test, valid, strong=strong, seed=options.seed, **options.of_protocol("strong"))


def _protocol_split(
    interactions: Path, protocol: str, options: SplitOptions, read_clicks: "ReadClicks"
) -> "Split | Sequence[Split]":
    from isotherm.data.folds import k_fold
    from isotherm.data.repeated import repeated
    from isotherm.data.splits import SPLITS, rolling

    check_unused(f"--protocol {protocol}:", options.of_other_protocols(protocol))
    extra = options.of_protocol(protocol)
    if options.folds is not None:
        unused = {"--holdout": options.holdout, "--seeds": options.seeds}
        check_unused("--folds hides every item or user once:", unused)
        return k_fold(read_clicks(interactions), protocol, options.folds, options.seed, **extra)
    clicks = read_clicks(interactions)
    if protocol == "temporal":
        check_unused("--protocol temporal:", {"--seeds": options.seeds})
        holdout = options.holdout  # which a cut, or periods of one length, do without
        in_time = SPLITS[protocol] if options.cuts is None else rolling
        return in_time(clicks, holdout=holdout, seed=options.seed, **extra)
    if options.seeds is not None:
        seeds = range(options.seed, options.seed + options.seeds)
        return repeated(clicks, protocol, seeds, holdout=options.hidden_share, **extra)
    return SPLITS[protocol](clicks, holdout=options.hidden_share, seed=options.seed, **extra)


def _known_protocol(protocol: str | None) -> str:
    from isotherm.data.splits import SPLITS

    if protocol not in SPLITS:
        raise ParameterError(f"--protocol must be one of {', '.join(SPLITS)} or ramp-up, not {protocol!r}")
    return protocol


def check_unused(where: str, options: Mapping[str, Any]) -> None:
    """Raise ParameterError where an option is given that would have no effect."""
    given = [name for name, value in options.items() if value is not None and value != ""]
    if given:
        raise ParameterError(f"{where} {' and '.join(given)} {'does' if len(given) == 1 else 'do'} not apply")
