"""MARec (Monteil et al. 2024): a backbone whose rare and new items are aligned with item metadata.

model           the model: learns μ and β, hands the alignment to its backbone
field_weights   μ, what each field and pair of fields is worth (eq. 5)
embedding       the embedding model f_E by which items are compared
cold_operator   O = P·C, metadata similarities in, weight columns out (eq. 9)
backbones/      one file a family: EASE and SLIM, collective EASE, iALS, VAEs
"""
