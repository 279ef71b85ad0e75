"""What users of an arm get, and how lists are explored."""

from dataclasses import dataclass, fields

from isotherm.checks import above, between, one_of, whole
from isotherm.errors import ParameterError, brief

INTERLEAVED = "interleaved"  #: the arm that users of an interleaving experiment are counted under
LONGEST_NAME = 100  #: characters of the name of an experiment, an arm or a layer
MOST_EXPLORED = 1_000  #: items among which a place of a list is drawn


def check_name(key: str, given: object) -> None:
    """Raises ParameterError where a name is none that a table and a page can show."""
    if not isinstance(given, str) or not given.strip() or not given.isprintable():
        raise ParameterError(f"{key} is {brief(given)}; give a name in printable characters")
    if len(given) > LONGEST_NAME:
        raise ParameterError(f"{key} has {len(given):,} characters; give at most {LONGEST_NAME}")


@dataclass(frozen=True)
class Settings:
    """Settings of lists; None for what a request says.

    cold_least, cold_most: how many items of a list are new ones (as many as the list has room for, and there
    are).  diversity: in [0, 1].
    """

    cold_least: int | None = None
    cold_most: int | None = None
    diversity: float | None = None

    def check(self, key: str) -> None:
        """Raises ParameterError for what is no setting."""
        least = 0 if self.cold_least is None else whole(f"{key}.cold.min", self.cold_least, 0)
        if self.cold_most is not None and whole(f"{key}.cold.max", self.cold_most, 0) < least:
            raise ParameterError(f"{key}.cold.min is larger than {key}.cold.max; exchange them")
        if self.diversity is not None:
            between(f"{key}.diversity", self.diversity, 0, 1)

    @property
    def changed(self) -> frozenset[str]:
        """What it sets: of cold and diversity."""
        given = [each.name.partition("_")[0] for each in fields(self) if getattr(self, each.name) is not None]
        return frozenset(given)


@dataclass(frozen=True)
class Arm:
    """One arm of an experiment.

    weight: its share of users is weight over the sum of weights; 0 takes no new users.
    model: folder of a saved model, None for the server's own.
    """

    name: str
    weight: float = 1.0
    model: str | None = None
    settings: Settings = Settings()

    def check(self, key: str) -> None:
        """Raises ParameterError that begins with the key of what is wrong."""
        check_name(f"{key}.name", self.name)
        between(f"{key}.weight", self.weight, 0, 1e6)
        if self.model is not None and not self.model:
            raise ParameterError(f"{key}.model is empty; name a folder, or null for the server's own model")
        self.settings.check(f"{key}.settings")


@dataclass(frozen=True)
class Exploration:
    """Places of a list that are drawn, so that what other lists would have got can be told from the log.

    At each place from ``from_rank`` on, with probability 1 - share stands the best item that is left; with
    probability share one is drawn: by ``epsilon`` each that is left alike, by ``softmax`` in proportion to
    exp(score / temperature).  pool: how many of the best items, the fixed places among them, are drawn from.
    """

    kind: str
    share: float
    from_rank: int = 2
    temperature: float = 1.0
    pool: int = 50

    def check(self, key: str) -> None:
        """Raises ParameterError that begins with the key of what is wrong."""
        one_of(f"{key}.kind", self.kind, ("epsilon", "softmax"))
        between(f"{key}.share", self.share, 0, 1, "(]")
        whole(f"{key}.from_rank", self.from_rank, 1, MOST_EXPLORED)
        above(f"{key}.temperature", self.temperature, 0)
        whole(f"{key}.pool", self.pool, 2, MOST_EXPLORED)
        if self.pool <= self.from_rank:
            raise ParameterError(f"{key}.pool is {self.pool} and leaves nothing to draw; give a larger one")
