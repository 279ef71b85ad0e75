"""Live recommendations: what is kept between requests, the model on the air, and the HTTP interface.

database/   what happened and what there is: events, histories, items, exposures, model swaps
live/       the model on the air: answers, item changes, swap and roll back

It needs the extra ``serve``: ``pip install 'isotherm[serve]'``.
"""
