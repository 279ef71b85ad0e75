"""A platform to practise on: viewers whose taste is known, so that the truth can stand beside the estimate.

demo        the whole story: real server, real traffic, the analysis, and the truth: start here
titles      films that are there, and those that come day by day
taste       how likely each viewer clicks each title, fitted on real clicks
viewers     who watches, when they come, what they watched before
days        the days one after the other: lists are asked for, clicks are drawn
arms        which model answers in each arm, and the plan
own_lists   lists straight from the models: for the truth, and for many runs
server      a real ``isotherm serve``
http_lists  lists and events over HTTP
log         what happened as the tables of an event log, at simulated times
truth       what the arms are worth, from the probabilities that no analysis sees
right       whether a verdict is right
"""

from isotherm.experiment.practice.demo import DemoResult, Practice, World, practise, practise_offline

__all__ = ["DemoResult", "Practice", "World", "practise", "practise_offline"]
