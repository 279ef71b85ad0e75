"""Lists and what is measured on them: pure functions on arrays, which no model knows.

topk       the k best items of each row of scores, on all cores
mmr        maximal marginal relevance: good items that are unlike each other
metrics    hit rate, nDCG, recall, MRR, MAP; novelty, coverage, Gini
diversity  how unlike the items of a list are; calibration to the user's history
"""
