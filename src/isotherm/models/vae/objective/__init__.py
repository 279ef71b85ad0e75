"""The objective: a sum of named terms.

ladder          the values that auto tries
terms           reconstruction, KL, and what a new term must give
reconstruction  the loss between clicks and logits: multinomial, or squared error of what the mask hides
beta            β of the KL term: constant, annealed, by clicks
masking         which clicks the encoder sees
anchor_term     λ_A · L_A: a user's posterior is drawn to the anchors of its items (PIA, §3)
anchors         the anchors: settings, weights of clicks, where they begin
ease_term       an EASE score that is added to the logits
"""
