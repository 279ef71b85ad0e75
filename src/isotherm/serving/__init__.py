"""Live recommendations: what is kept between requests, the model on the air, and the HTTP interface.

database/   events, histories, items, exposures and model swaps, in SQLite or PostgreSQL
app/        the HTTP interface: FastAPI
page/       the page at /
live/       the model on the air: answers, item changes, swap and roll back
workers/    the processes of a server: one port, started, replaced and ended
refit       the next model from a saved one and the database

It needs the extra ``serve``: ``pip install 'isotherm[serve]'``.
"""
