"""Where a journal may be, who may read it, and whose it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runoutcome.batch import JobLine, Store, StoreError
from runoutcome.batch._journal.owner import Owner, OwnerLock, read_owner
from runoutcome.batch._journal.place import check_database, network_type

JOB = JobLine(1, "a", {"model": "m", "input": "secret prompt"})
MOUNTS = """\
22 1 259:1 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /mnt/team rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2
31 30 0:41 / /mnt/team/local rw - ext4 /dev/sdb rw
32 22 0:42 / /mnt/with\\040space rw - fuse.sshfs user@host: rw
33 22 0:43 / /mnt/over rw - ext4 /dev/sdc rw
34 22 0:44 / /mnt/over rw - cifs //server/share rw
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the results go."""
    return tmp_path / "results.jsonl"


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/mnt/team/out.db", "nfs4"),
        ("/mnt/team/deep/er/out.db", "nfs4"),
        ("/mnt/team/local/out.db", None),
        ("/mnt/teams/out.db", None),
        ("/mnt/with space/out.db", "fuse.sshfs"),
        ("/mnt/over/out.db", "cifs"),
        ("/out.db", None),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(tmp_path: Path, place: str, kind: str | None) -> None:
    """The mount point in sight decides: the longest, and of two the later one."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert network_type(Path(place), mounts) == kind
    assert network_type(Path(place), tmp_path / "none") is None


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """The error names the type and the way out; nothing is made."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 1 0:40 / {os.path.realpath(tmp_path)} rw - nfs4 server:/export rw\n")
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*--db FILE"):
        check_database(tmp_path / "out.db", mounts)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mountinfo"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_only_its_owner_can_read_a_journal(path: Path) -> None:
    """The database, its log and its lock have mode 0600."""
    with Store(path) as store:
        store.note(JOB, "submitting", key="k-1").result()
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.glob("*.db*")}
    assert set(modes) == {f"results.jsonl.db{end}" for end in ("", "-wal", "-shm", ".lock")}
    assert set(modes.values()) == {0o600}


def test_a_key_is_in_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the command line of the owner are masked."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-secret")
    with Store(path, command="runoutcome run --base-url https://user:sk-secret-secret@host/v1") as store:
        store.note(JOB, "submitting", key="k-1").result()
    written = b"".join(entry.read_bytes() for entry in path.parent.iterdir())
    assert b"sk-secret-secret" not in written
    assert b"//\\u2026@host/v1" in written


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is a POSIX lock")
def test_the_owner_is_named(path: Path) -> None:
    """A second process learns who has the journal; after a kill the name stays and the lock is free."""
    code = (
        "import sys; from pathlib import Path; from runoutcome.batch import Store\n"
        f"with Store(Path({str(path)!r}), command='first one'): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        owner = rf"another process is writing .*: first one \(pid {other.pid} on .+, since 2.+\)"
        with pytest.raises(StoreError, match=owner), Store(path):
            pass
        # The same journal with other results has the same owner.
        with pytest.raises(StoreError, match=owner), Store(path.with_name("b.jsonl"), database=Path(f"{path}.db")):
            pass
        other.kill()
    known = read_owner(path.with_name("results.jsonl.db.lock"))
    assert known is not None
    assert known.pid == other.pid
    with Store(path) as store:
        store.note(JOB, "submitting", key="k-1").result()


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is a POSIX lock")
def test_one_output_with_two_journals_has_one_writer(path: Path) -> None:
    """The results are locked too: another journal does not make them free."""
    with Store(path):
        with pytest.raises(StoreError, match="another process is writing"):
            Store(path, database=path.with_name("other.db"), forget_journal=True).__enter__()
        assert not path.with_name("other.db").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is a POSIX lock")
def test_a_journal_that_another_process_is_making_is_left_alone(path: Path) -> None:
    """A start that comes second, when the owner has the lock and has made no file yet, removes nothing."""
    owner, second = OwnerLock(path.with_name("results.jsonl.db")), Store(path)
    second.check([JOB])
    owner.acquire(Owner.this_process(), path)
    try:
        second.journal_path.touch()
        with pytest.raises(StoreError, match="another process"):
            second.__enter__()
        assert second.journal_path.exists()
    finally:
        owner.release()


def test_a_lock_file_of_nonsense_is_no_owner(tmp_path: Path) -> None:
    """Whatever stands in it, the lock itself decides."""
    lock = tmp_path / "x.lock"
    for text in ("", "{", "[]", '{"pid": 1}'):
        lock.write_text(text)
        assert read_owner(lock) is None
    lock.write_text(json.dumps({"pid": 1, "host": "h", "since": "s", "command": "c"}))
    assert read_owner(lock) == Owner(1, "h", "s", "c")


def test_a_journal_without_its_log_is_no_new_one(path: Path) -> None:
    """If the database is moved away and its log stays, the batch stops instead of beginning anew."""
    with Store(path) as store:
        store.note(JOB, "submitting", key="k-1").result()
        log = path.with_name("results.jsonl.db-wal").read_bytes()
    store.journal_path.unlink()
    path.unlink()
    path.with_name("results.jsonl.db-wal").write_bytes(log)
    with pytest.raises(StoreError, match=r"write-ahead log .* both make up the journal"):
        Store(path).check([JOB])
    assert not store.journal_path.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user whom modes bind")
@pytest.mark.parametrize("which", ["journal", "folder"])
def test_a_place_that_is_read_only_is_refused(path: Path, which: str) -> None:
    """A journal or a folder that cannot be written is named before anything is sent."""
    with Store(path) as store:
        store.note(JOB, "submitting", key="k-1").result()
    locked = store.journal_path if which == "journal" else path.parent
    mode = locked.stat().st_mode
    locked.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="cannot be written"):
            Store(path).check([JOB])
    finally:
        locked.chmod(mode)
