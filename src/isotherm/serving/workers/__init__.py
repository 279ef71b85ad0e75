"""A server of several processes on one port, which share the model's memory.

settings     what every worker must know
listening    the port, taken by the parent before any worker starts
supervisor   the parent: starts the workers, replaces the dead, ends them all
process      a worker as its parent sees it
channel      what parent and worker say to each other
worker       a worker: a process that answers requests
application  the app of a worker, on its server's model and database
server       uvicorn in a worker: ready, draining, ending without losing a request
connections  what one connection may send, and how long it may take
preparing    what the parent does first: the model is verified, the database opened and filled
tokens       the token, and the URL of a database, from files
"""

from importlib.util import find_spec

from isotherm.errors import MissingPackageError

if any(find_spec(package) is None for package in ("httptools", "uvicorn")):
    raise MissingPackageError("serving needs uvicorn and httptools: pip install 'isotherm[serve]'")
