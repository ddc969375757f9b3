"""Places where a journal can be kept: a local disk, one name, a folder that can be written."""

import os
import re
from pathlib import Path

from .errors import NEW_BATCH, StoreError

MOUNTS = Path("/proc/self/mountinfo")
_NETWORK_TYPES = re.compile(
    r"nfs\d?|cifs|smb\w*|afs|ncpfs|ceph|lustre|gpfs|beegfs|pvfs2|orangefs|ocfs2|gfs2|glusterfs"
    r"|fuse\.(sshfs|ceph|glusterfs|rclone|s3fs|gcsfuse|davfs|curlftpfs|goofys|juicefs|mount-s3)|davfs"
)


def check_file(path: Path, hint: str) -> None:
    """Raise StoreError for a path that cannot be a file of a batch; nothing is created. `hint` is what to do."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"the folder of {path} does not exist; create it first")
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is not a file; {hint}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise StoreError(f"{path} cannot be written; make it writable, or {NEW_BATCH}")
    if path.exists() and path.stat().st_nlink > 1:
        raise StoreError(
            f"{path} has a second name (a hard link), so two batches could write it; remove the other name "
            f"(find . -samefile {path} shows it), then run the same command again"
        )


def check_database(path: Path, mounts: Path = MOUNTS) -> None:
    """Raise StoreError for a path that cannot be a journal; nothing is created, and no file is opened."""
    check_file(path, "choose another --db")
    if not os.access(path.parent, os.W_OK):
        raise StoreError(f"{path.parent} cannot be written, and SQLite keeps files beside {path}; make it writable")
    kind = network_type(path, mounts)
    if kind is not None:
        raise StoreError(
            f"{path} is on a network file system ({kind}), where SQLite's write-ahead log is not safe; put the journal "
            "on a local disk with --db FILE"
        )
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size and not (path.exists() and path.stat().st_size):
        raise StoreError(
            f"{path} is missing, but its write-ahead log {log} is there: both make up the journal. Put the journal "
            f"back; if it is lost, remove {log} and pass --forget-journal"
        )


def network_type(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system of a path; None for a local one, or where that is not known."""
    text = os.path.realpath(path)
    if text.startswith("\\\\"):
        return "a share of Windows"
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    found = ""
    kind = None
    for line in lines:  # the last of the longest mount points is the one in sight
        fields, _, source = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields.split(" ")[4])
        if len(point) >= len(found) and Path(text).is_relative_to(point):
            found, kind = point, source.split(" ")[0]
    return kind if kind and _NETWORK_TYPES.fullmatch(kind) else None


def create(path: Path) -> bool:
    """Create an empty file that only its owner can read; return whether there was none."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None
    sync_folder(path.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
