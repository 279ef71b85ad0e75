"""A model that several workers answer with, and what they have in common in a database.

shared         SharedModel: a LiveModel that reads what every worker wrote
following      takes what other workers changed: items, and the model itself
experiments    which users are in which arms, what they are answered there, and the models of arms
experiment_results  what the events say of experiments: the log, exported and analysed
stored         an item between the database and the model
exposure_log   what was shown, on its way to the database
"""
