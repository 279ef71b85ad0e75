"""The items of a model on the air, in words and flags; nothing here changes what it was given.

items          what an editor says of an item: metadata, hidden, when it may be shown
snapshot       a fitted model with the changes of its items
readable       what a model cannot read of others' items is left out
reading        metadata as a model reads it, whatever types its values came in
catalogue      ids, titles and fields of a snapshot; each made of the one before
availability   its items that may be shown at a moment
visible        which items an answer may tell of
filter_fields  the fields by which items are filtered: values, numbers, dates, the title
told_fields    fields of items that were put which the model does not read
"""
