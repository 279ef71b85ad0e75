"""Matrix factorization: users and items as vectors.

ials            alternating least squares over every cell
"""
