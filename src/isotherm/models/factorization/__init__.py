"""Matrix factorization: users and items as vectors.

ials                 alternating least squares over every cell; soft targets for columns without clicks
auto                 chooses the penalty and the weight of cells without a click on hidden clicks
conjugate_gradient   two steps for each row of one side, as training takes them
least_squares        the exact solves of one side, as users are folded in: a small system per row
"""
