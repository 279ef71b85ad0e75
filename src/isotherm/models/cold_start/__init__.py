"""What MARec and kernel ridge share: how a model that must rank brand-new items learns from the ones it has.

pseudo_cold     clicked items that are hidden whole and play new ones
calibration     how high cold items should score beside warm ones
cold_items      the items that nobody has clicked yet, as a fitted model keeps them
"""
