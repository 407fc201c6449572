"""Commands on backups: write, verify, restore."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from click import Command, Context
from typer.core import TyperGroup

if TYPE_CHECKING:
    from app.backups.archive import Contents


class _WriteByDefault(TyperGroup):
    """``fetal-health backup ARCHIVE`` is ``fetal-health backup write ARCHIVE``."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        return super().resolve_command(ctx, args if args and args[0] in self.commands else ["write", *args])


backup_app = typer.Typer(cls=_WriteByDefault, no_args_is_help=True, help="Backups: write one, verify one.")
Archive = Annotated[Path, typer.Argument(help="An archive that `backup write` wrote.")]


@backup_app.command("write")
def write(archive: Annotated[Path, typer.Argument(help="New archive, .tar.gz; - for the standard output.")]) -> None:
    """Write database, bundles, runs and federation into an archive; the application may be running."""
    from app.backups.archive import backup
    from app.settings import settings

    contents = backup(settings(), archive)
    typer.echo(f"written: {archive} ({_words(contents)})", err=str(archive) == "-")


@backup_app.command("verify")
def verify(archive: Archive) -> None:
    """Read an archive to its last byte and compare everything in it with its hashes."""
    from app.backups.archive import verify as run

    typer.echo(f"{archive}: whole ({_words(run(archive))})")


def restore(archive: Archive) -> None:
    """Restore an archive into an empty home or database, and bring its schema up to date."""
    from app.backups.restoring import restore as run
    from app.settings import settings

    contents = run(settings(), archive)
    typer.echo(f"restored into {settings().home} ({_words(contents)})")


def _words(contents: "Contents") -> str:
    if not contents.schema:
        return contents.version
    rows = f"{sum(contents.rows.values())} rows of {len(contents.rows)} tables, {contents.files} files"
    head = f", audit {contents.audit_head}" if contents.audit_head else ""
    return f"{rows}, schema {contents.schema}, version {contents.version}, {contents.created[:16]} UTC{head}"
