"""Online experiments: whether a model helps those who use a site, and by how much.

plan/          what is declared: experiment, arms, ramp, layer, hold-out
assignment/    which user is in which arm
log/           events and exposures, out of core -> one row for each user
metrics/       what is measured of a user
design/        how many users and days an experiment needs, from a site's own log
analysis/      sample ratio, effects and their intervals, peeking, groups, verdict
offpolicy/     what another policy would have got, from logged propensities
interleaving/  two models in one list
student_t      intervals and p over users, for these two
shown_items    which shown item an event belongs to, for these two
practice/      a platform to practise on: viewers whose taste is known
"""
