"""Nearest neighbours: the plain baselines, on clicks and on metadata.

item_knn        shrunk cosine between the click vectors of items
content_knn     cosine between the metadata vectors of items
auto            chooses neighbours and shrinkage on hidden clicks
top_neighbours  keeps the k nearest of each item, a band of items at a time
"""
