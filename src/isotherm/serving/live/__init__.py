"""The model on the air: what it answers, and how its items and the model itself change under way.

model      LiveModel: the answers, and the changes; readers never wait and never see half a change
requests   whom to answer, and by which rules; what is answered
filters    which items a request may show, as flags
exploring  a list whose places are drawn
lists      the list of a request: share of new items, diversity
audience   whose lists an item would enter
probes     whether a loaded model answers as it must, before it goes on the air
"""
