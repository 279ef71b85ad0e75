"""Looking at the items of a model on the air.

browsing   search, fields, an item, a map
titles     searching titles as one types
item_map   where items stand on a plane
"""
