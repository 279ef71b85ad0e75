"""What MARec and kernel ridge share: how a model that must rank brand-new items learns from the ones it has.

pseudo_cold     clicked items that play new ones: a random fifth, or those that came last
calibration     how high cold items should score beside warm ones
blends          how well many blends of two scores rank the same items
new_item_share  the share that new items should have in lists, learned at cuts in time, and how they get it
user_scaling    by which scores of new items are multiplied for one user and for another
item_trend      how the clicks of an item grow or fade, and how far scores follow it
cold_items      the items that nobody has clicked yet, as a fitted model keeps them
"""
