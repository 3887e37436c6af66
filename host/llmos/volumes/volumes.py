"""The three volumes as one place: what is found where, read, written, and by whom."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.resources import seed_volume, state_dir, system_volume

from . import access
from .catalog import Catalog
from .document import Document, parse
from .errors import NoEntry, PathEscape, VolumeError
from .paths import checked, read_file
from .tiers import Change, Entry, Tier

if TYPE_CHECKING:
    from .store import Store

README = "README"


class Volumes:
    """System, team and user volume; a name is looked for in the user's first, then the team's, then the system's.

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
                    listed = [entry for entry in self._catalog(tier, root).listed(folder)]
                    found += [
                        entry._replace(shadowed=True) if entry.name in names else entry for entry in listed
                    ]
                    names.update(entry.name for entry in listed)
        return [entry for entry in found if shadowed or not entry.shadowed]

    def tier_entries(self, tier: Tier) -> list[Entry]:
        """Return every file of a tier, in the order of their paths; of the system's, what was promoted shadows."""
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
            try:
                return read_file(root, checked(path))
            except FileNotFoundError:
                continue
        raise NoEntry(f"the {tier} volume has no file {path!r}; `llmos volume ls {tier}` lists them")

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
        from llmos.kernel.config import load_config

        most = self._file_bytes or load_config().file_bytes
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise VolumeError(f"{path} is no text: it holds half a character; write it in UTF-8") from None
        if len(data) > most:
            raise VolumeError(
                f"{path} has {len(data)} bytes; a file may have {most} (kernel/config.md): split it"
            )
        if "\0" in text:
            raise VolumeError(f"{path} is no text: it holds a zero byte; volumes hold markdown only")
        parse(text.replace("\r\n", "\n"), self.folder(tier) / path)
        return data

    def _catalog(self, tier: Tier, root: Path) -> Catalog:
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
