"""Models that are one matrix of item-item weights: score = history · weights.

item_weights    the contract of such a model; dense and sparse weights
ease            EASE in closed form from the Gram matrix
slim            weighted SLIM, all columns through one inverse
"""
