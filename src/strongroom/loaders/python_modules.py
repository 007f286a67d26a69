"""Modules that are imported from memory: the owner's source, as it stands in the package.

    with_modules = ModuleFinder({"scorer.py": source, "rules/__init__.py": b"", "rules/age.py": more})
    with_modules.install()
    importlib.import_module("scorer")       # nothing is read from a disk, no .pyc is written

One package's modules are in a process at a time: installing takes away those of an earlier one.
Names of the standard library are not for them (``module_name``), so that nothing of ours or of a
library can get a module of the owner in place of one that it knows.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Final

from strongroom.errors import FormatError

SOURCE_ENDING: Final = ".py"
_PACKAGE: Final = "__init__"
_OWN: Final = "strongroom"
_SHOWN: Final = "<sealed>/"


def module_name(file: str) -> str:
    """Return under which name a file of source is imported: ``rules/age.py`` as ``rules.age``.

    Raises:
        FormatError: it has no name that can be imported, or one that others have (``module-name``).
    """
    parts = file.removesuffix(SOURCE_ENDING).split("/")
    if len(parts) > 1 and parts[-1] == _PACKAGE:
        parts.pop()
    if not file.endswith(SOURCE_ENDING) or not all(part.isidentifier() for part in parts):
        raise FormatError(f"{file!r} is no module that can be imported", code="module-name")
    if parts[0] in sys.stdlib_module_names or parts[0] in (_OWN, _PACKAGE):
        raise FormatError(
            f"{file!r} has the name of a module that Python or this program has itself",
            code="module-name",
            hint="give it another name",
        )
    return ".".join(parts)


def module_names(files: Iterable[str]) -> dict[str, str]:
    """Return the modules among these files: their names, and the file of each.

    Raises:
        FormatError: two have one name, or one has none (``module-name``).
    """
    found: dict[str, str] = {}
    for file in files:
        if not file.endswith(SOURCE_ENDING):
            continue
        name = module_name(file)
        if name in found:
            raise FormatError(f"{file!r} and {found[name]!r} are one module", code="module-name")
        found[name] = file
    return found


class ModuleFinder(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """Finds and runs the modules of one package."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Keep the source of these files, by their names in the package.

        Raises:
            FormatError: two modules have one name, or one has none (``module-name``).
        """
        self._files = module_names(files)
        self._sources = {name: bytes(files[file]) for name, file in self._files.items()}
        # A folder without ``__init__.py`` is a package as well, as it is on a disk.
        self._folders = {
            ".".join(parts[:depth])
            for parts in (name.split(".") for name in self._files)
            for depth in range(1, len(parts))
        } - self._files.keys()

    @property
    def top_level(self) -> frozenset[str]:
        """The first parts of the names of all modules."""
        return frozenset(name.partition(".")[0] for name in self._files)

    def install(self) -> None:
        """Have imports of this process ask here first; forget the modules of an earlier package."""
        for earlier in [each for each in sys.meta_path if isinstance(each, ModuleFinder)]:
            sys.meta_path.remove(earlier)
            for name in earlier._files.keys() | earlier._folders:
                sys.modules.pop(name, None)
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module of the package; None for every other one."""
        if fullname in self._folders:
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = []
            return spec
        if fullname not in self._sources:
            return None
        return importlib.util.spec_from_loader(
            fullname, self, origin=self.get_filename(fullname), is_package=self.is_package(fullname)
        )

    def get_filename(self, fullname: str) -> str:
        """Return what a traceback inside shows as the file."""
        return f"{_SHOWN}{self._files[fullname]}"

    def get_source(self, fullname: str) -> str:
        """Return the text of a module, in the encoding that it declares."""
        return importlib.util.decode_source(self._sources[fullname])

    def is_package(self, fullname: str) -> bool:
        """Tell whether the module is the ``__init__.py`` of a folder."""
        return self._files[fullname].endswith(f"/{_PACKAGE}{SOURCE_ENDING}")
