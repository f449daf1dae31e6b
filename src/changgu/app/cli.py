"""The command line: `changgu up` starts the desk, the other commands set it up and look at it."""

import asyncio
import gc
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from changgu import __version__
from changgu.app import compiled
from changgu.app.options import ConfigOption, DataOption, settings_from
from changgu.app.settings import SettingsError, describe
from changgu.ground.csv_rows import RowErrors
from changgu.ground.trouble import Trouble


def command_line(*, all_commands: bool = True) -> typer.Typer:
    """Every command; or only `up`: callers wait for a desk that starts again, and the other commands import much."""
    app = typer.Typer(
        name="changgu",
        help="창구: the single telephone window of a service desk.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.command()(up)
    app.command()(version)
    if not all_commands:
        return app
    from changgu.app import acd_commands, desk_commands, ivr_commands, pbx_commands, voice_commands

    settings_app = typer.Typer(help="설정 · the options of changgu", no_args_is_help=True)
    settings_app.command("describe")(describe_settings)
    migration_app = typer.Typer(help="데이터베이스 구조 · the database's shape, for contributors", no_args_is_help=True)
    migration_app.command("new")(new_migration)
    app.add_typer(settings_app, name="settings")
    app.add_typer(migration_app, name="migration")
    app.add_typer(pbx_commands.app, name="pbx")
    app.add_typer(acd_commands.app, name="acd")
    app.add_typer(ivr_commands.app, name="ivr")
    desk_commands.attach(app)
    voice_commands.attach(app)
    return app


def up(
    data: DataOption = None,
    config: ConfigOption = None,
    port: Annotated[int | None, typer.Option(help="웹 포트 · the web server's port")] = None,
    sip_port: Annotated[int | None, typer.Option(help="SIP 포트 · the SIP port")] = None,
    ari_port: Annotated[int | None, typer.Option(help="ARI 포트 · the private PBX's ARI port")] = None,
    ami_port: Annotated[int | None, typer.Option(help="AMI 포트 · the private PBX's AMI port")] = None,
    rtp_ports: Annotated[str | None, typer.Option(metavar="A-B", help="음성 포트 · the audio ports")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="예시 조직과 모의 통화 · an example desk with calls")] = False,
    demo_calls_per_minute: Annotated[float | None, typer.Option(help="분당 모의 발신 · simulated calls")] = None,
) -> None:
    """창구를 엽니다. Start the desk; Ctrl-C or SIGTERM stops it, calls first."""
    overrides: dict[str, object | None] = {
        "web.port": port,
        "sip.port": sip_port,
        "ari.port": ari_port,
        "ami.port": ami_port,
        "demo.enabled": demo or None,
        "demo.calls_per_minute": demo_calls_per_minute,
    }
    if rtp_ports is not None:
        overrides["rtp.first"], overrides["rtp.last"] = port_range(rtp_ports)
    settings = settings_from(data, config, overrides)
    gc.disable()  # what is loaded now stays; to look for garbage in it costs a tenth of the time for which callers wait
    from changgu.app.up import run  # which knows everybody: the other commands need not wait for it

    run(settings)


def version() -> None:
    """버전. Print the version."""
    typer.echo(__version__)


def describe_settings() -> None:
    """모든 설정을 설명과 함께. Print a file with every option, its sentence and its default."""
    typer.echo(describe(), nl=False)


def new_migration(why: Annotated[str, typer.Argument(metavar="WHY")]) -> None:
    """저장소의 선언대로 이전 파일을 씁니다. Write the migration to the tables that the stores now declare."""
    from changgu.app import schema

    async def write(folder: str) -> None:
        database = schema.database_of(Path(folder))
        try:
            await schema.new_migration(database, why)
        finally:
            await database.close()

    with TemporaryDirectory() as folder:
        asyncio.run(write(folder))
    typer.echo(str(schema.VERSIONS))


def port_range(written: str) -> tuple[int, int]:
    """`20000-20199` as two numbers."""
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", written.strip())
    if found is None:
        raise SettingsError(
            f"명령줄: --rtp-ports {written}: 20000-20199와 같이 쓰십시오",
            f"the command line: --rtp-ports {written}: write it like 20000-20199",
        )
    return int(found[1]), int(found[2])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a trouble of the person's making is said in both languages, without a traceback."""
    words = sys.argv[1:] if arguments is None else arguments
    compiled.use()
    try:
        command_line(all_commands=list(words[:1]) != ["up"])(args=arguments, prog_name="changgu")
    except RowErrors as wrong:
        typer.echo(f"{wrong}\n아무것도 가져오지 않았습니다 · nothing was imported", err=True)
        sys.exit(1)
    except Trouble as trouble:
        for line in dict.fromkeys((trouble.ko, trouble.en)):
            typer.echo(line, err=True)
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)


if __name__ == "__main__":
    main()
