"""Matrix factorization: users and items as vectors.

ials            alternating least squares over every cell; soft targets for columns without clicks
least_squares   the solves of one side: a small system per row
"""
