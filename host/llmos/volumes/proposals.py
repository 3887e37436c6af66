"""Proposals: git branches that hold a change until somebody merges it."""

import re

import pygit2

from llmos.text import plain

from .errors import Diverged, NoEntry, VolumeError
from .history import told
from .store import Files, Judge, Store
from .tiers import Change, Commit
from .trees import contents, merged

_HEADS = "refs/heads/"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(?:[./][a-z0-9][a-z0-9_-]*)*")
_LONGEST = 100  # characters of a name


def propose(store: Store, name: str, files: Files, change: Change) -> str:
    """Commit files on a new branch; the working tree stays as it is. Return the commit's id.

    Raises:
        VolumeError: the name is none for a branch, or is taken.
    """
    reference = _reference(name)
    with store.held() as repo:
        head = store.saved(repo)
        new = store.commit(repo, [head], files, change)
        if new == head:
            raise VolumeError(f"the proposal {name} would change nothing: every file is so already")
        if reference == store.branch(repo) or not store.advance(repo, reference, None, new):
            raise VolumeError(f"the proposal {name} is there already: merge or drop it, or take another name")
        return str(new)


def proposals(store: Store) -> dict[str, Commit]:
    """Return the newest commit of each branch but the checked-out one; its paths are all it would change."""
    found = {}
    with store.reading() as repo:
        head = store.head(repo)
        for name in sorted(repo.branches.local):
            commit = _commit(repo, name)
            if _HEADS + name == store.branch(repo) or commit is None or head is None:
                continue
            base = repo.merge_base(head, commit.id)
            if base != commit.id:  # else it is merged
                found[name] = told(commit, repo[base].peel(pygit2.Tree) if base else None)
    return found


def merge(store: Store, name: str, change: Change, judge: Judge) -> str:
    """Merge a proposal, and remove its branch; return the new commit's id.

    Args:
        judge: refuses what may not be changed.

    Raises:
        Diverged: the volume changed the same path since; the proposal stays.
        NoEntry: there is no such proposal.
    """
    with store.held() as repo:
        while True:
            head = store.saved(repo)
            theirs = _commit(repo, name)
            if theirs is None or _HEADS + name == store.branch(repo):
                raise NoEntry(f"no proposal is called {plain(name)[:_LONGEST]!r}: there are {_listed(store)}")
            base = repo.merge_base(head, theirs.id)
            if base == theirs.id:  # it was merged, and a kill left the branch
                store.advance(repo, _HEADS + name, theirs.id, None)
                return str(head)
            tree = repo[base].peel(pygit2.Tree) if base else None
            try:
                files = merged(tree, repo[head].peel(pygit2.Tree), theirs.tree, f"the proposal {name}")
            except Diverged as error:
                raise Diverged(f"{error} since it was made; make it again, or merge it with git") from None
            judge(contents(repo, files))
            new = store.commit(repo, [head, theirs.id], files, change)
            store.prepared(repo, files)
            if store.advance(repo, store.branch(repo), head, new, files):
                store.advance(repo, _HEADS + name, theirs.id, None)
                return str(new)


def drop(store: Store, name: str) -> None:
    """Remove a proposal's branch.

    Raises:
        NoEntry: there is no such proposal.
    """
    with store.held() as repo:
        commit = _commit(repo, name)
        if commit is None or _HEADS + name == store.branch(repo):
            raise NoEntry(f"no proposal is called {plain(name)[:_LONGEST]!r}: there are {_listed(store)}")
        store.advance(repo, _HEADS + name, commit.id, None)


def _reference(name: str) -> str:
    if len(name) > _LONGEST or not _NAME.fullmatch(name) or name.endswith(".lock") or name == "head":
        raise VolumeError(
            f"{plain(name)[:_LONGEST]!r} is no name for a proposal: use small letters, digits, - and /"
        )
    return _HEADS + name


def _commit(repo: pygit2.Repository, name: str) -> pygit2.Commit | None:
    if name not in list(repo.branches.local):  # a lookup would refuse what can be no name
        return None
    commit: pygit2.Commit = repo.branches.local[name].peel(pygit2.Commit)
    return commit


def _listed(store: Store) -> str:
    return ", ".join(proposals(store)) or "none"
