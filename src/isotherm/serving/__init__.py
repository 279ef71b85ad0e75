"""Live recommendations: what is kept between requests, the model on the air, and the HTTP interface.

catalogue/  the items of the model on the air, in words and flags
database/   events, histories, items, exposures and model swaps, in SQLite or PostgreSQL
app/        the HTTP interface: FastAPI
page/       the page at /
browsing/   looking at the items: search, fields, a map
live/       the model on the air: answers, item changes, swap and roll back
shared/     the same for several workers, through the database
workers/    the processes of a server: one port, started, replaced and ended
refit       the next model from a saved one and the database

It needs the extra ``serve``: ``pip install 'isotherm[serve]'``.
"""
