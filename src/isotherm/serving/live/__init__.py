"""The model on the air: what it answers, and how its items and the model itself change under way.

model          LiveModel: the answers, and the changes; readers never wait and never see half a change
shared         SharedModel: the same, with all that workers have in common in a database
following      takes what other workers changed: items, and the model itself
readable       what a model cannot read of others' items is left out
stored         an item between the database and the model
exposure_log   what was shown, on its way to the database
reading        metadata as a model reads it, whatever types its values came in
snapshot       a fitted model with the changes of its items, which never changes itself
catalogue      its items in words: ids, titles, fields; each made of the one before
availability   its items that may be shown at a moment
items          what an editor says of an item: metadata, hidden, when it may be shown
requests       whom to answer, and by which rules; what is answered
filters        which items a request may show, as flags
told_fields    fields of items that were put which the model does not read
filter_fields  the fields by which items are filtered: values, numbers, dates, the title
lists          the list of a request: share of new items, diversity
audience       whose lists an item would enter
browsing       looking at the items: search, fields, a map
titles         searching titles as one types
item_map       where items stand on a plane
probes         whether a loaded model answers as it must, before it goes on the air
"""
