"""Finding plug-ins: by name in our own folders, by entry point, or as `package.module:Class`.

A built-in plug-in is one file whose name is the plug-in's name; there is no list to keep.
"""

import importlib
import pkgutil
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, TypeVar

from synthmill.schemas.errors import InputError, nearest

T = TypeVar("T")


def load_plugin(kind: type[T], name: str, packages: tuple[str, ...], module: str = "") -> type[T]:
    """The class of the plug-in `name` of `kind` (its abstract base class).

    Built-in ones live at `<package>.<name>` (or `<package>.<name>.<module>`); installed ones are
    entry points of the group `synthmill.<kind, lower case>`; anything else is
    `package.module:Class`.

    Raises:
        InputError: there is no such plug-in, it cannot be imported, or it is of another kind.
    """
    found = _by_path(name) if ":" in name else _built_in(kind, name, packages, module)
    if found is None:
        found = _by_entry_point(kind, name)
    if found is None:
        known = available(kind, packages, module)
        what = kind.__name__.lower()
        raise InputError(
            f"there is no {what} {name!r}{nearest(name, known)}; known: {', '.join(known)}, "
            "or give package.module:Class"
        )
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise InputError(f"{name!r} is not a {kind.__name__.lower()} but {found!r}")
    return found


def available(kind: type, packages: tuple[str, ...], module: str = "") -> list[str]:
    """Names of the built-in and installed plug-ins of a kind, sorted."""
    names = {entry.name for entry in entry_points(group=_group(kind))}
    for package in packages:
        for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
            path = ".".join(filter(None, (package, found.name, module)))
            # `base` holds the interface; what plug-ins share is a name with an underscore in front,
            # or a folder: of its own where plug-ins are files, without `module` where they are not.
            shared = found.name == "base" or found.name.startswith("_")
            if not shared and found.ispkg == bool(module) and (not module or find_spec(path)):
                names.add(found.name)
    return sorted(names)


def _group(kind: type) -> str:
    return f"synthmill.{kind.__name__.lower()}"


def _by_path(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"plug-in {name!r} cannot be loaded: {error}") from error


def _built_in(kind: type[T], name: str, packages: tuple[str, ...], module: str) -> type[T] | None:
    if not name.isidentifier():
        return None
    for package in packages:
        path = ".".join(filter(None, (package, name, module)))
        if find_spec(f"{package}.{name}") is None or find_spec(path) is None:
            continue
        classes = (v for v in vars(importlib.import_module(path)).values() if isinstance(v, type))
        for found in classes:
            if issubclass(found, kind) and getattr(found, "name", None) == name:
                return found
    return None


def _by_entry_point(kind: type, name: str) -> Any:
    matches = entry_points(group=_group(kind), name=name)
    return next(iter(matches)).load() if matches else None
