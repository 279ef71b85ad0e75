"""The objective: a sum of named terms.

terms           reconstruction, KL, and what a new term must give
beta            β of the KL term: constant, annealed, by clicks
masking         which clicks the encoder sees
anchors         λ_A: a user's posterior is drawn to the anchors of its items (PIA, §3)
ease_term       an additive EASE score
"""
