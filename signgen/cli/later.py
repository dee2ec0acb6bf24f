"""Packages that are read when something of them is wanted, not when they are imported.

`import diffusers.models.unets.unet_2d_condition` reads every U-Net and every transformer that
diffusers has, because the packages on the way to it import all their modules, and schedulers import
`scipy.stats` for one method that nobody calls here. Together that is a second and a thousand
modules before a first frame. Nothing else changes: whatever is asked of such a package reads it.
Only the command line does this: a program that uses the library imports as it is used to.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["LATER", "install"]

LATER = frozenset(
    {
        *(f"diffusers.models.{name}" for name in ("autoencoders", "controlnets", "transformers")),
        *("diffusers.models.unets", "scipy.stats"),
    }
)
"""Packages whose modules are imported by their own names here."""


class _Package(ModuleType):
    """A package whose file is run when a name is looked up that it does not have yet."""

    def __getattr__(self, name: str) -> Any:
        loader = self.__spec__.loader if self.__spec__ else None
        if not isinstance(loader, _Later):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        object.__setattr__(self, "__class__", ModuleType)
        try:
            loader.real.exec_module(self)
        except BaseException:
            object.__setattr__(self, "__class__", _Package)
            raise
        return getattr(self, name)


class _Later(Loader):
    """Loads a package without running its file."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        object.__setattr__(module, "__class__", _Package)


class _Finder(MetaPathFinder):
    """Finds the packages of `LATER`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in LATER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Later(spec.loader)
        return spec


def install() -> None:
    """Read the packages of `LATER` later, where they were not imported already."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
