"""Two models in one list: a comparison that needs far fewer users than two arms do.

draft       team draft: the list of both, and whose each item is
comparison  which of the two the users prefer: share, interval and p by users; how many users it takes
clicks      whose team the clicks on such lists count for, from exposures and events
"""

from isotherm.experiment.interleaving.clicks import credit
from isotherm.experiment.interleaving.comparison import Preference, Wins, compare
from isotherm.experiment.interleaving.draft import FIRST, NOBODY, SECOND, team_draft

__all__ = ["FIRST", "NOBODY", "SECOND", "Preference", "Wins", "compare", "credit", "team_draft"]
