"""`changgu pbx …`: fetch the private Asterisk, see whether it runs, stop one that was left behind."""

import asyncio
from typing import Annotated

import typer

from changgu.app.generated_secrets import secrets_of
from changgu.app.options import ConfigOption, DataOption, settings_from
from changgu.app.pbx_settings import pbx_plan
from changgu.ground.trouble import NotFound
from changgu.telephony.pbx import PrivatePbx
from changgu.telephony.pbx_packages import dotted, install

app = typer.Typer(help="내장 PBX · the private Asterisk", no_args_is_help=True)


def say(line: str) -> None:
    """A line of progress, on standard error so that answers can be piped."""
    typer.echo(f"  {line}", err=True)


@app.command("install")
def install_pbx(
    renew: Annotated[bool, typer.Option("--renew", help="Debian의 최신판으로 · fetch Debian's newest")] = False,
) -> None:
    """내장 PBX를 내려받습니다. Fetch the private PBX; `up` does so by itself."""
    release = install(say, renew=renew)
    typer.echo(f"Asterisk {dotted(release.version())}  {release.root}")


@app.command()
def status(data: DataOption = None, config: ConfigOption = None) -> None:
    """내장 PBX가 실행 중인지. Say whether this data folder's PBX runs."""
    pid = _pbx(data, config).find()
    typer.echo("stopped" if pid is None else f"running, process {pid}")


@app.command()
def stop(data: DataOption = None, config: ConfigOption = None) -> None:
    """내장 PBX와 모든 통화를 끝냅니다. Stop this data folder's PBX and every call on it."""
    pbx = _pbx(data, config)
    running = pbx.find() is not None
    asyncio.run(pbx.stop())
    typer.echo("stopped" if running else "was not running")


def _pbx(data: DataOption, config: ConfigOption) -> PrivatePbx:
    settings = settings_from(data, config)
    if not (settings.data / "pbx").is_dir():
        raise NotFound(f"{settings.data}에는 내장 PBX가 없습니다", f"There is no private PBX in {settings.data}")
    release = install(say)
    return PrivatePbx(release, pbx_plan(settings, secrets_of(settings.data), release), say=say)
