"""isotherm serve"""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isotherm.cli import options as o
from isotherm.cli.demo import check_demo_folder, demo_model
from isotherm.cli.option_groups import with_option_groups
from isotherm.errors import ParameterError, shown_path

if TYPE_CHECKING:
    import socket

    from isotherm.serving.app.limits import Limits
    from isotherm.serving.workers.settings import ServerSettings

DATABASE = "sqlite:///isotherm-live.db"
DEMO = Path("out")


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: Annotated[str, typer.Option(help="Address of this machine; 0.0.0.0 for all of them.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one and prints it.")] = 8000
    workers: Annotated[int, typer.Option(help="Processes that answer; they share the model's memory.")] = 1
    proxies: Annotated[
        str,
        typer.Option(
            "--proxies",
            help="Addresses of proxies, by commas, whose X-Forwarded-For says who the client is; * for any.",
        ),
    ] = "127.0.0.1,::1"


@dataclass(frozen=True)
class Access:
    """Who may do what."""

    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token that changes need, sent as «Authorization: Bearer TOKEN».  "
            "[default: whoever reaches the server may change items and the model]",
            show_default=False,
        ),
    ] = None
    token_for_all: Annotated[
        bool, typer.Option("--token-for-all", help="Ask for the token everywhere but at /livez and /readyz.")
    ] = False

    def token(self) -> str | None:
        """The token. Raises ParameterError."""
        if self.token_file is None:
            if self.token_for_all:
                raise ParameterError("--token-for-all needs --token-file")
            return None
        from isotherm.serving.workers.tokens import read_token

        return read_token(self.token_file)


@dataclass(frozen=True)
class StateOptions:
    """The database."""

    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="URL",
            help="Database of items, events and histories: sqlite:///FILE or postgresql://USER@HOST/NAME.  "
            f"[default: $ISOTHERM_DB, or {DATABASE}, with --demo in {DEMO}/]",
            show_default=False,
        ),
    ] = None
    db_file: Annotated[
        Path | None,
        typer.Option(help="File that holds its URL instead, as it may hold a password.", show_default=False),
    ] = None
    db_seconds: Annotated[
        float, typer.Option(help="How long PostgreSQL may take to answer; then 503 is answered.")
    ] = 3.0

    def url(self, demo: bool) -> str:
        """That of the database. Raises ParameterError."""
        return o.database_url(self.db, self.db_file, f"sqlite:///{DEMO}/live.db" if demo else DATABASE)


@dataclass(frozen=True)
class RateOptions:
    """How often a client may ask."""

    rate: Annotated[
        float | None,
        typer.Option(
            help="Requests per second of one client, over all workers.  [default: any number]",
            show_default=False,
        ),
    ] = None
    burst: Annotated[int, typer.Option(help="Requests of one client at one time, with --rate.")] = 20


@dataclass(frozen=True)
class Bounds:
    """How much a request may ask for."""

    max_k: Annotated[int, typer.Option(help="Longest list.")] = 1000
    max_history: Annotated[int, typer.Option(help="Items of a history that is sent.")] = 1000
    max_ids: Annotated[int, typer.Option(help="Ids in each of exclude, candidates, filters, items.")] = 10_000
    max_batch: Annotated[int, typer.Option(help="Lists of one batch.")] = 100
    max_items: Annotated[int, typer.Option(help="Items that are put at one time.")] = 1000
    max_events: Annotated[int, typer.Option(help="Events that are sent at one time.")] = 10_000
    max_body: Annotated[int, typer.Option(help="Bytes of a request's body.")] = 4 * 2**20

    def limits(self, rates: RateOptions, db_seconds: float) -> "Limits":
        """As the app takes them. Raises ParameterError."""
        from isotherm.checks import MOST, above, between, whole
        from isotherm.serving.app.limits import Limits

        most = {"max_items": 10_000, "max_events": 10_000}  # of one change, by the database
        for each in fields(self):
            option = f"--{each.name.replace('_', '-')}"
            whole(option, getattr(self, each.name), 1, most.get(each.name, MOST))
        whole("--burst", rates.burst, 1)
        between("--db-seconds", db_seconds, 0.1, 600)
        if rates.rate is not None:
            above("--rate", rates.rate, 0)
        asked = {each.name.removeprefix("max_"): getattr(self, each.name) for each in fields(self)}
        return Limits(**asked, rate=rates.rate, burst=rates.burst, database_seconds=db_seconds)


@dataclass(frozen=True)
class EndOptions:
    """How long a server takes to end."""

    drain_seconds: Annotated[
        float,
        typer.Option(help="How long it still takes requests after SIGTERM; /readyz says that it ends."),
    ] = 1.0
    grace_seconds: Annotated[
        float, typer.Option(help="How long requests that have begun may take after that.")
    ] = 8.0


@with_option_groups
def serve(
    *,
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Folder of a saved model.", show_default=False)
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help=f"Serve the model of the demo, in {DEMO}/, which is made if it is missing."
        ),
    ] = False,
    address: Address,
    database: StateOptions,
    items: Annotated[
        Path | None,
        typer.Option(help="Item table; the database takes what neither it nor the model knows of it."),
    ] = None,
    access: Access,
    bounds: Bounds,
    rates: RateOptions,
    exposure_days: Annotated[int, typer.Option(help="How long what was shown to whom is kept.")] = 90,
    experiment: Annotated[
        list[Path] | None,
        typer.Option(
            help="Plan of an experiment (JSON): arms, shares, times; repeated for several at one time.",
            show_default=False,
        ),
    ] = None,
    ending: EndOptions,
    quiet: o.Quiet = False,
) -> None:
    """Answer over HTTP: recommendations, new items, events, and the page at /.

    SIGTERM and Ctrl-C end it once what has begun is answered. /openapi.json describes all addresses.

    With --experiment, users are answered as the arm says that they are in; GET /v1/experiments tells of it.

    Example: isotherm serve model --port 8000 --workers 4 --db sqlite:///live.db --token-file token
    """
    if demo == (directory is not None):
        raise ParameterError("serve needs either the folder of a model or --demo")
    o.begin(quiet)
    token, limits, url = access.token(), bounds.limits(rates, database.db_seconds), database.url(demo)
    from isotherm.checks import whole
    from isotherm.serving.workers.listening import listening_socket
    from isotherm.serving.workers.settings import Ending, ServerSettings

    end = Ending(ending.drain_seconds, ending.grace_seconds)
    if demo:
        check_demo_folder(DEMO)
    listener = listening_socket(address.host, whole("--port", address.port, 0, 2**16 - 1))
    with listener:
        if demo:
            directory, items = demo_model(DEMO, quiet)
        settings = ServerSettings(
            model=str(directory),
            database=url,
            limits=limits,
            ending=end,
            token=token,
            token_for_all=access.token_for_all,
            exposure_days=exposure_days,
            proxies=address.proxies,
            experiments=_plans(experiment or []),
        )
        _serve(settings, listener, whole("--workers", address.workers, 1), items, quiet)


def _plans(files: list[Path]) -> "tuple[tuple[str, dict[str, Any]], ...]":
    """Files of plans, and what they hold. Raises ParameterError for what cannot run on one server."""
    from isotherm.experiment.plan import check_together, plan_of, read_plan

    experiments = [read_plan(file) for file in files]
    check_together(experiments, [shown_path(file) for file in files])
    plans = [plan_of(each) for each in experiments]
    for arm in (arm for plan in plans for arm in plan["arms"] if arm["model"] is not None):
        arm["model"] = os.path.abspath(arm["model"])
    return tuple((str(file), plan) for file, plan in zip(files, plans, strict=True))


def _serve(
    settings: "ServerSettings", listener: "socket.socket", n_workers: int, items: Path | None, quiet: bool
) -> None:
    """Prepare and run. Raises typer.Exit where a worker did not end as it should."""
    from isotherm.serving.workers.listening import address_of
    from isotherm.serving.workers.preparing import prepare, verify
    from isotherm.serving.workers.supervisor import Supervisor

    address = address_of(listener)
    if settings.token is None and not listener.getsockname()[0].startswith(("127.", "::1")):
        o.note("warning: whoever reaches this server may change items and models; give --token-file", quiet)

    def told() -> None:
        from isotherm.serving.database.connections import shown

        typer.echo(f"serving {shown_path(settings.model)} at {address}")
        o.note(f"database: {shown(settings.database)}; workers: {n_workers}", quiet)

    supervisor = Supervisor(settings, listener, n_workers)
    code = supervisor.run(
        prepare=lambda: prepare(settings, items), verify=lambda: verify(settings), ready=told
    )
    if code:
        raise typer.Exit(code)
