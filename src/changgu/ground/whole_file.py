"""Files that are there whole or not at all, whoever reads them meanwhile and wherever the writer is killed."""

import os
import tempfile
from glob import escape
from pathlib import Path


def write_whole(file: Path, content: str | bytes, *, mode: int = 0o600, fsync: bool = True) -> None:
    """Put `content` (text in UTF-8) under this name; its folder must be there.

    Who opens the file sees what stood there before or all of `content`, even while two write it at once; the one who
    renames last wins. With `fsync` that holds when the power fails, too, and what is written is on the disk once this
    returns; without, a power cut may leave an empty file (a killed process never does). `mode` holds from the first
    byte, whatever the umask. A writer that is killed leaves what stood there and, beside it, `.<name>.….partial`.

    Raises OSError; then the file is as it was and nothing is beside it, unless only the folder could not be synced.
    """
    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".partial")  # its owner's alone
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            os.fchmod(number, mode)
            out.write(content.encode() if isinstance(content, str) else content)
            if fsync:
                out.flush()
                os.fsync(number)
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if fsync:
        _sync(file.parent)


def destroy(file: Path) -> None:
    """Remove a file, if it is there, and whatever killed writers of it have left beside it. Raises OSError."""
    file.unlink(missing_ok=True)
    for left in file.parent.glob(f".{escape(file.name)}.*.partial"):
        left.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """A rename is on the disk once its folder is: fsync(2)."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
