"""MARec (Monteil et al. 2024): a backbone whose rare and new items are aligned with item metadata.

model           the model: learns what metadata is worth, hands the alignment to its backbone
warm_clicks     the clicks of a fit, without the items that have none
embedding       the embedding model f_E by which items are compared
field_weights   μ, what each field and pair of fields is worth (eq. 5)
weights_in_time how far μ is trusted where items come last, chosen at cuts in time
similarity      G, similarities of items with their fields weighed by μ (eq. 5)
pseudo_cold     warm items that play new ones: what a learned embedding's μ, and β, are learned on
beta            how β is chosen: given, held from an earlier fit, or learned
in_time         what a backbone fitted before a cut in time shows after it
backbones/      one file per family: EASE and SLIM, collective EASE, iALS, VAEs
cold_operator   O = P·C of EASE and SLIM: similarities in, weight columns out (eq. 9)
"""
