"""Users who are no persons, by three rules that say how many impressions, how fast, and how willing."""

from dataclasses import dataclass

import numpy as np

from isotherm.experiment.log.rules import Rules
from isotherm.experiment.log.user_days import Block
from isotherm.types import Bools, Int64


@dataclass(frozen=True)
class Bots:
    """(n_users,) whom each rule flags."""

    by_impressions: Bools
    by_clicks: Bools
    by_click_through: Bools

    @classmethod
    def of(cls, block: Block, totals: Int64, rules: Rules) -> "Bots":
        """Of a block.  totals: (n_users, 7) what its users did."""
        shown, clicked = totals[:, 0], totals[:, 2]
        willing = clicked >= rules.bot_click_through * np.maximum(shown, 1)
        return cls(
            block.most_on_a_day > rules.bot_impressions_a_day,
            block.fast,
            willing & (shown >= rules.bot_least_impressions),
        )

    @property
    def any(self) -> Bools:
        """Whom any rule flags."""
        return np.asarray(self.by_impressions | self.by_clicks | self.by_click_through)
