"""A process that writes until it is killed, and says after each batch that it was acknowledged."""

import sys

from isotherm.errors import DatabaseError
from isotherm.serving.database import Database, Event, StoredItem

BATCH = 7


def events(writer, number):
    """The batch of this number: all of its events are of one user."""
    return [Event(f"{writer}-{number}-{n}", "click", f"{writer}-{number}", n) for n in range(BATCH)]


def write(url, writer, most):
    """Batches of events, and an item for each; one line on stdout when both are acknowledged."""
    with Database.open(url) as database:
        for number in range(most):
            counts = database.add_events(events(writer, number))
            assert (counts.new, counts.repeated) == (BATCH, 0)
            database.put_items([StoredItem(f"{writer}-{number}", {"number": number})])
            print(number, flush=True)


if __name__ == "__main__":
    try:
        write(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except DatabaseError as cause:
        sys.exit(f"DatabaseError: {cause}")
