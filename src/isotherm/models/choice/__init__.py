"""How models choose settings of their own: on clicks of the log that are hidden.

hidden_clicks  whose and which, and how well scores rank them
climb          from a value to one beside which none is better
"""
