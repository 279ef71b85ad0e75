"""Kernel ridge: brand-new items by a Gaussian process over items, its kernel learned from their metadata.

model           the model: fit, new items, explanations
kernel_weights  what each field is worth, from leave-one-out rankings of pseudo-cold items
descent         least loss: steps on a part of the sample, then some on all of it
weights_in_time how far these weights are trusted where items come last, chosen at cuts in time
training_log    clicks and metadata of a fit
learning_sample the items and users on which weights are learned
training_data   which items both regressions learn from, and their targets
ridge           kernel ridge regression, exactly or on landmarks
shared_kernel   the kernel among the training items, for all models of one fit
columns         from the predictions for an item to its weight column at EASE's scale
term_shares     how a score is split over metadata fields
tuning          what is chosen on pseudo-cold items rather than learned with the kernels
tuner           the pseudo-cold items of one split, as the model of the kept clicks ranks them
warm_up         how an item moves from its metadata to its own clicks
rare_items      the columns of items that are on that way
warm_up_tuning  how fast, chosen on hidden items that are given clicks
"""
