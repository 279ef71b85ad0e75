"""The steps of the tables, one file of ``versions`` each, in the order of their revisions.

A step that was released is never changed: a change of ``tables`` is a new step.
"""
