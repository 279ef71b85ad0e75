"""The numerics that every model stands on: no ids, no items, no models, only arrays.

csr             rows and columns of CSR matrices: index pointers, groups, selection, packing
accelerator     where the dense passes below are computed: here, or on a CUDA device
gram            the Gram matrix of a click log, a block of users at a time
cholesky        blocked factorization and inverse in place
eigen           eigenvalues and eigenvectors of a small symmetric matrix
gmres           many linear systems side by side, by a Krylov method
poisson         many Poisson regressions on the same features
cosine          cosines, 0 where a vector is zero
products        histories times dense weights, vectors times a table: the passes that score users
ridge_inverse   P = (A + λI)⁻¹ in the form of EASE's weights, and what it is applied to
"""
