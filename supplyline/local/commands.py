"""`supplyline up`, `down`, `status`, `logs`, `env`: the embedded services of one machine."""

from __future__ import annotations

import json
import shlex
import sys
import time

import click

from supplyline.errors import ServiceFailed
from supplyline.local import control, units
from supplyline.local import home as homes
from supplyline.local import logs as logfiles

_SERVICE = click.Choice(units.SERVICES)


def _port(name: str) -> str:
    return f"SUPPLYLINE_{name.upper()}_PORT"


@click.command()
@click.option("--backend-port", type=click.IntRange(1, 65535), envvar=_port("backend"))
@click.option("--airflow-port", type=click.IntRange(1, 65535), envvar=_port("airflow"))
@click.option("--postgres-port", type=click.IntRange(1, 65535), envvar=_port("postgres"))
@click.option("--mongo-port", type=click.IntRange(1, 65535), envvar=_port("mongo"))
@click.option("--only", type=_SERVICE, multiple=True, help="This service and what it needs.")
@click.option("--timeout", default=240.0, show_default=True, help="Seconds to wait for all.")
@click.option("--quiet", is_flag=True, help="No progress.")
def up(  # noqa: PLR0917 - click calls it by keyword
    backend_port: int | None,
    airflow_port: int | None,
    postgres_port: int | None,
    mongo_port: int | None,
    only: tuple[str, ...],
    timeout: float,
    quiet: bool,
) -> None:
    """Start PostgreSQL, MongoDB, Airflow, the backend and the relay; wait until all are ready.

    With PG_HOST, MONGO_URI or AIRFLOW_API_BASE set, that server is used instead of an embedded
    one. Run it as often as you like. Example: supplyline up --backend-port 8000
    """
    home, began = homes.locate(), time.monotonic()
    ports = {
        "backend": backend_port,
        "airflow": airflow_port,
        "postgres": postgres_port,
        "mongo": mongo_port,
    }

    def tell(line: str) -> None:
        if not quiet:
            click.echo(f"{time.monotonic() - began:6.1f} s  {line}", err=True)

    new = control.up(home, ports=ports, only=only, seconds=timeout, tell=tell)
    known = homes.load_ports(home)
    if not new:
        click.echo("Already running; other options take effect after `supplyline down`.")
    else:
        click.echo(f"All services are ready after {time.monotonic() - began:.0f} s.")
    if not only or "backend" in only:
        click.echo(f"API      http://127.0.0.1:{known['backend']}/api/")
    if not only:
        click.echo(
            f"Airflow  http://127.0.0.1:{known['airflow']}/ (`supplyline env` has the login)"
        )


@click.command()
@click.option("--timeout", default=90.0, show_default=True, help="Seconds before force is used.")
def down(timeout: float) -> None:
    """Stop everything that `supplyline up` started; the data stay. Example: supplyline down"""
    ran = control.down(homes.locate(), seconds=timeout)
    click.echo(f"Stopped: {', '.join(ran)}." if ran else "Nothing was running.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Ask each service how it is. Exit code 1 when one is not well. Example: supplyline status"""
    home = homes.locate()
    found, watched = control.status(home), control.supervisor_of(home) is not None
    well = bool(found) and watched and all(one.healthy for one in found)
    if as_json:
        services = [one.as_json() for one in found]
        about = {"healthy": well, "supervised": watched, "services": services}
        click.echo(json.dumps(about, indent=1))
    elif not found:
        click.echo("Nothing has been started here yet: `supplyline up`.")
    else:
        click.echo(
            f"{'service':<23}{'health':<9}{'pid':>8}{'port':>7}{'up':>9}{'restarts':>10}  MB"
        )
        for one in found:
            line = f"{one.name:<23}{'well' if one.healthy else 'NOT WELL':<9}"
            line += f"{one.pid or '-':>8}{one.port or '-':>7}"
            line += f"{_duration(one.uptime):>9}{one.restarts:>10}"
            line += f"{one.memory / 1e6:>5.0f}" if one.memory else f"{'-':>5}"
            click.echo(line + (f"  {one.detail}" if one.detail else ""))
        if any(one.pid for one in found) and not watched:
            click.echo(
                "The supervisor is gone: nothing restarts what dies. `supplyline up` starts anew."
            )
    if not well:
        sys.exit(1)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@click.command()
@click.argument("service", required=False)
@click.option("-n", "--lines", default=20, show_default=True, help="How many from the end.")
@click.option("-f", "--follow", is_flag=True, help="Go on as they are written (Ctrl-C ends).")
def logs(service: str | None, lines: int, follow: bool) -> None:
    """Show the services' logs, or one's. Example: supplyline logs backend -n 50 -f"""
    home = homes.locate()
    files = {file.stem: file for file in sorted(home.logs.glob("*.log"))}
    if service is not None:
        if service not in files:
            raise ServiceFailed(
                f"There is no log of {service} in {home.logs}.",
                next_step=f"There are: {', '.join(files) or 'none yet'}.",
            )
        files = {service: files[service]}
    if not files:
        click.echo(f"No logs yet in {home.logs}.")
        return
    for file in files.values():
        if service is None:
            click.echo(f"==> {file}")
        for line in logfiles.tail(file, lines):
            click.echo(line)
        if service is None:
            click.echo()
    if follow:
        try:
            for name, line in logfiles.follow(files):
                click.echo(line if service else f"{name}: {line}")
        except KeyboardInterrupt:
            return


@click.command("env")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def env(as_json: bool) -> None:
    """Print the environment for working with the running services. It contains passwords.

    Example: eval "$(supplyline env)" && curl "$SUPPLYLINE_API/api/schema/"
    """
    home = homes.locate()
    known = homes.read_environment(home)
    if not known:
        raise ServiceFailed("Nothing has been started here yet.", next_step="Run `supplyline up`.")
    if as_json:
        click.echo(json.dumps(known, indent=1))
        return
    click.echo("# These values are secrets: keep them out of files and of what others can see.")
    for name, value in sorted(known.items()):
        click.echo(f"export {name}={shlex.quote(str(value))}")
