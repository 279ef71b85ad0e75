"""The HTTP interface to a shared model (FastAPI).

factory    create_app: the routes, and what every request passes
schemas    what requests hold
answers    what answers hold, and refusals
limits     how much one request may ask for
quick      the list of one user from bytes to bytes, without what a framework does for a route
answering  routes that answer: recommend, similar, explain, score
browsing   routes for looking at items: search, fields, map
editing    routes for items, and who will get one
experiments  routes for experiments: which run, users by arm, what came of them
events     the route for what users did
operating  routes for the model and metrics
addresses  ids in addresses: every id, percent-encoded, is one segment
access     who may do what: the token
errors     every refusal as {"error", "where", "cure"}
health     whether the process lives, and whether requests may be sent there
passage    what every request passes: limits of rate and body, headers, measurement
rates      how many requests a client may send, over all workers
metrics    what is counted, for Prometheus
"""

from importlib.util import find_spec

from isotherm.errors import MissingPackageError

if any(find_spec(package) is None for package in ("fastapi", "prometheus_client", "pydantic")):
    raise MissingPackageError("serving needs fastapi: pip install 'isotherm[serve]'")
