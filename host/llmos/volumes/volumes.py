"""The three volumes as one place: what is found where, read, written, and by whom."""

import contextlib
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.document import Document, decoded, parse
from llmos.kernel.config import load_config
from llmos.resources import seed_volume, state_dir, system_volume

from . import access
from .catalog import Catalog
from .errors import AccessDenied, NoEntry, PathEscape, VolumeError
from .paths import checked, read_bytes
from .tiers import Change, Commit, Entry, Tier

if TYPE_CHECKING:
    from .store import Store
    from .sync import Synced

SYNCED = Change("llmos", "merged what the remote had")


class Volumes:
    """System, team and user volume; a name is looked for in the user's, then the team's, then the system's.

    The system volume is what ships, which nothing writes, and above it what was promoted here.

    Args:
        home: the folder that holds them; below the state folder where none is given.
        file_bytes: the longest file that is written; as the kernel's config says where none is given.
    """

    def __init__(self, home: Path | None = None, file_bytes: int | None = None) -> None:
        self.home = home or state_dir() / "volumes"
        self._file_bytes = file_bytes
        self._catalogs: dict[Path, Catalog] = {}

    def folder(self, tier: Tier) -> Path:
        """Return where a tier's files lie that may change; it need not exist yet."""
        return self.home / tier

    def roots(self, tier: Tier) -> list[Path]:
        """Return the folders of a tier, the one that comes first first."""
        return [self.folder(tier), *([system_volume()] if tier is Tier.SYSTEM else [])]

    def entries(self, kind: str, project: str = "", shadowed: bool = False) -> list[Entry]:
        """Return the files `KIND/*.md`: a project's own first, then the user's, the team's, the system's.

        Args:
            kind: skills, agents, kernel, memory, or any other folder.
            project: also those of `projects/PROJECT/KIND/`, before all others.
            shadowed: also those that another of the same name comes before.

        Raises:
            PathEscape: the kind or the project is no folder of a volume.
        """
        folders = [checked(f"{kind}/x.md").removesuffix("/x.md")]
        if project:
            folders.insert(0, project_folder(project, kind))
        found: list[Entry] = []
        names: set[str] = set()
        for folder in folders:
            for tier in Tier:
                for root in self.roots(tier):
                    listed = self._catalog(tier, root).listed(folder)
                    found += [
                        entry._replace(shadowed=True) if entry.name in names else entry for entry in listed
                    ]
                    names.update(entry.name for entry in listed)
        return [entry for entry in found if shadowed or not entry.shadowed]

    def tier_entries(self, tier: Tier) -> list[Entry]:
        """Return every file of a tier, in the order of their paths; what was promoted shadows what ships."""
        found: dict[str, Entry] = {}
        for root in self.roots(tier):
            for entry in self._catalog(tier, root).listed(below=True):
                found.setdefault(entry.path, entry)
        return sorted(found.values(), key=lambda entry: entry.path)

    def find(self, kind: str, name: str, project: str = "") -> Entry:
        """Return the first entry of a name.

        Raises:
            NoEntry: there is none.
            PathEscape: the kind or the project is no folder of a volume.
        """
        entries = self.entries(kind, project)
        for entry in entries:
            if entry.name == name:
                return entry
        names = [entry.name for entry in entries]
        near = difflib.get_close_matches(name, names, 3) or sorted(names)[:8]
        hint = f"there are {', '.join(near)}" if near else f"no volume has any {kind}"
        raise NoEntry(f"{kind}: none is called {name[:60]!r}; {hint}")

    def read(self, tier: Tier, path: str) -> Document:
        """Read a file of a tier.

        Raises:
            DocumentError: its front matter is wrong, or it is no text.
            NoEntry: it is not there.
            PathEscape: the path leaves the volume, or a link stands on the way.
        """
        for root in self.roots(tier):
            file = root / checked(path)
            with contextlib.suppress(FileNotFoundError):
                return parse(decoded(read_bytes(root, path), file), file)
        raise NoEntry(f"the {tier} volume has no file {path!r}; `llmos volume ls {tier}` lists them")

    def read_at(self, tier: Tier, path: str, commit: str) -> Document:
        """Read a file of a tier as it was at a commit.

        Raises:
            DocumentError: its front matter is wrong, or it is no text.
            NoEntry: there is no such commit, or it had no such file.
            PathEscape: the path leaves the volume.
        """
        from .history import find_commit
        from .trees import blob, leaf

        with self.store(tier).reading() as repo:
            found = leaf(find_commit(repo, commit).tree, checked(path))
            data = blob(repo, found.oid) if found else None
        if data is None:
            raise NoEntry(
                f"{tier}:{path} was not there at {commit}: `llmos volume log {tier}` tells when it was"
            )
        file = self.folder(tier) / path
        return parse(decoded(data, file), file)

    def write(self, tier: Tier, path: str, text: str, change: Change) -> str:
        """Write a file, and return the commit's id, 40 hex digits; see `write_all`."""
        return self.write_all(tier, {path: text}, change)

    def write_all(self, tier: Tier, files: Mapping[str, str | None], change: Change) -> str:
        """Write files as one commit, all or none, and return its id; None removes a file.

        What a person edited by hand since is committed before. Where nothing changes, nothing is committed.

        Raises:
            AccessDenied: the change's author or agent may not write there.
            DocumentError: a file's front matter is wrong, or it is no text.
            PathEscape: a path leaves the volume, or a link stands on the way.
            VolumeError: a file is too long, or the repository cannot be written.
        """
        data = self._checked(tier, files, change)
        return self.store(tier).write(data, change)

    def copy(self, source: Tier, path: str, target: Tier, change: Change) -> str:
        """Write a file of one tier into another, and return the commit's id."""
        return self.write(target, path, self.read(source, path).source, change)

    def log(self, tier: Tier, path: str | None = None, limit: int | None = None) -> list[Commit]:
        """Return a tier's commits, the newest first; with a path those that changed that file or folder."""
        from .history import read_log

        store = self.store(tier)
        if not store.exists():
            return []
        with store.reading() as repo:
            head = store.head(repo)
            return read_log(repo, head, path, limit) if head else []

    def edited(self, tier: Tier) -> list[str]:
        """Return the files that a person edited by hand and that are not yet committed."""
        store = self.store(tier)
        return store.edited() if store.exists() else []

    def diff(self, tier: Tier, old: str = "HEAD", new: str | None = None, path: str | None = None) -> str:
        """Return how two commits differ in git's unified form; without a second, the first and the files now.

        Raises:
            NoEntry: there is no such commit.
        """
        from .history import difference, find_commit

        with self.store(tier).reading() as repo:
            return difference(repo, find_commit(repo, old), find_commit(repo, new) if new else None, path)

    def rollback(self, tier: Tier, to: str, change: Change, path: str | None = None) -> str:
        """Restore an older state by a new commit: of all files, or of one file or folder; return its id.

        Raises:
            AccessDenied: the change's author or agent may not write there.
            NoEntry: there is no such commit, or neither it nor the newest has the path.
        """
        return self.store(tier).restore(
            to, path, change, lambda files: self._judge(tier, files, change, True)
        )

    def branch(self, tier: Tier, name: str, files: Mapping[str, str | None], change: Change) -> str:
        """Propose files as a branch of a name such as dream/square; return its commit's id; see `write_all`.

        Raises:
            VolumeError: also where the name is none for a branch, or is taken.
        """
        from .proposals import propose

        return propose(self.store(tier), name, self._checked(tier, files, change), change)

    def branches(self, tier: Tier) -> dict[str, Commit]:
        """Return the proposals, by name; a commit's paths are all that it would change."""
        from .proposals import proposals

        store = self.store(tier)
        return proposals(store) if store.exists() else {}

    def merge(self, tier: Tier, branch: str, change: Change) -> str:
        """Merge a proposal and remove its branch; return the new commit's id.

        Raises:
            AccessDenied: the change's author or agent may not write there.
            Diverged: the volume changed the same file since it was made.
            NoEntry: there is no such proposal.
        """
        from .proposals import merge

        return merge(self.store(tier), branch, change, lambda files: self._judge(tier, files, change))

    def drop(self, tier: Tier, branch: str) -> None:
        """Remove a proposal.

        Raises:
            NoEntry: there is no such proposal.
        """
        from .proposals import drop

        drop(self.store(tier), branch)

    def sync(self, tier: Tier, remote: str | None = None, change: Change = SYNCED) -> "Synced":
        """Exchange a volume with a git remote; see `llmos.volumes.sync`.

        Raises:
            AccessDenied: the system volume is nobody's to exchange.
            Diverged: both changed the same file; both are kept.
            RemoteGone: the remote cannot be reached, or refuses.
        """
        from .sync import sync

        if tier is Tier.SYSTEM or change.agent:
            raise AccessDenied(
                f"{change.agent or change.author} may not sync the {tier} volume: a person, team or user"
            )
        return sync(self.store(tier), remote, change)

    def store(self, tier: Tier) -> "Store":
        """Return the repository of a tier."""
        from .store import Store

        seed = None if tier is Tier.SYSTEM else seed_volume(tier)
        return Store(self.folder(tier), self.home / ".state", seed)

    def _checked(
        self, tier: Tier, files: Mapping[str, str | None], change: Change
    ) -> dict[str, bytes | None]:
        if not files:
            raise VolumeError("a change without files: name at least one")
        for path in files:
            access.check(self, tier, checked(path), files[path], change)
        return {path: None if text is None else self._bytes(tier, path, text) for path, text in files.items()}

    def _bytes(self, tier: Tier, path: str, text: str) -> bytes:
        """Return a text as the file's bytes, if a volume may hold it."""
        most = self._file_bytes or load_config().file_bytes
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise VolumeError(f"{path} is no text: it holds half a character; write UTF-8") from None
        if len(data) > most:
            raise VolumeError(
                f"{path} has {len(data)} bytes, and {most} is the limit (kernel/config.md): split it"
            )
        file = self.folder(tier) / path
        parse(decoded(data, file), file)
        return data

    def _judge(
        self, tier: Tier, files: Mapping[str, bytes | None], change: Change, restores: bool = False
    ) -> None:
        """Refuse a change of files by its author, or of what no volume may hold."""
        for path, data in files.items():
            text = None if data is None else data.decode("utf-8", "replace")
            access.check(self, tier, path if restores else checked(path), text, change, restores)
            if data is not None and not restores:
                self._bytes(tier, path, decoded(data, self.folder(tier) / path))

    def _catalog(self, tier: Tier, root: Path) -> Catalog:
        if (self.folder(tier) / ".git" / "llmos" / "pending").exists():  # a writer is at work, or was killed
            self.store(tier).mended()
        if root not in self._catalogs:
            name = tier if root == self.folder(tier) else "shipped"
            self._catalogs[root] = Catalog(tier, root, self.home / ".state" / f"{name}.index")
        return self._catalogs[root]


def project_folder(project: str, kind: str = "") -> str:
    """Return a project's folder in a volume, or the one of a kind in it.

    Raises:
        PathEscape: the name is no folder's.
    """
    if "/" in project:
        raise PathEscape(f"the project {project[:60]!r} is no name: leave out the slash")
    return checked(f"projects/{project}/{kind or 'x'}.md").removesuffix(".md" if kind else "/x.md")
