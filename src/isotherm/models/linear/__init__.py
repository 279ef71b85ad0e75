"""Models that are one matrix of item-item weights: score = history · weights.

item_weights    the contract of such a model; dense and sparse weights
ease            EASE in closed form from the Gram matrix
penalties       what it is penalized by: ridge, denoising, user weights, relaxed diagonal
auto            chooses these on hidden clicks
left_out        how well hidden clicks rank, each user left out in closed form
slim            weighted SLIM, all columns through one inverse
"""
