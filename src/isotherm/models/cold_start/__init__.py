"""What MARec and kernel ridge share: how a model that must rank brand-new items learns from the ones it has.

calibration     pseudo-cold items, and what is chosen on them
cold_items      the items that nobody has clicked yet, as a fitted model keeps them
"""
