"""Kernel ridge: brand-new items by a Gaussian process over items, its kernel learned from their metadata.

model           the model
kernel_weights  what each field is worth, from leave-one-out rankings of pseudo-cold items
ridge           the system A = (K + r·I)⁻¹, exactly or on landmarks
tuning          what is chosen on pseudo-cold items rather than learned with the kernels
warm_up         how an item moves from its metadata to its own clicks
"""
