"""Finding plug-ins: by name in our own folders, by entry point, or by their place in code.

A built-in plug-in is one file whose name is the plug-in's name; there is no list to keep. A user's
own plug-in is given as `package.module:Name` or `./file.py:Name`; both are looked for in the folder
of the recipe first.
"""

import contextlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, TypeVar, get_origin

from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.identity import sha256_text

T = TypeVar("T")

PREFIX = "synthmill_plugin_"  # of the names of modules given as ./file.py:name

# Which plug-in folder a module in `sys.modules` was imported from.
_folders: dict[str, Path] = {}


def load_plugin(
    kind: type[T],
    name: str,
    packages: tuple[str, ...],
    module: str = "",
    folder: Path | None = None,
) -> type[T]:
    """The class of the plug-in `name` of `kind` (its abstract base class).

    Raises:
        InputError: there is no such plug-in, it cannot be imported, is of another kind, or lacks
            something that its kind needs.
    """
    found = find_plugin(kind, name, packages, module, folder)
    if not (isinstance(found, type) and issubclass(found, kind)):
        article = "an" if _words(kind)[0] in "aeiou" else "a"
        raise InputError(f"{name!r} is not {article} {_words(kind)} but {found!r:.80}")
    if missing := [*sorted(getattr(found, "__abstractmethods__", ())), *_not_set(kind, found)]:
        raise InputError(
            f"{_words(kind)} {name!r}: the class {found.__name__} lacks {', '.join(missing)}"
        )
    return found


def _not_set(kind: type, found: type) -> Iterator[str]:
    """The class attributes that a kind of plug-in declares without a value, and `found` lacks."""
    for base in kind.__mro__:
        for name, annotation in vars(base).get("__annotations__", {}).items():
            if get_origin(annotation) is ClassVar and not hasattr(found, name):
                yield name


def find_plugin(
    kind: type,
    name: str,
    packages: tuple[str, ...],
    module: str = "",
    folder: Path | None = None,
) -> Any:
    """The object that `name` stands for; `load_plugin` also checks that it is a class of `kind`.

    Built-in plug-ins live at `<package>.<name>` (or `<package>.<name>.<module>`), or in `<package>`
    itself where that is a single file; installed ones are entry points of the group
    `synthmill.<kind, lower case>`; a name with a colon is a place (see `load_object`).

    Raises:
        InputError: there is no such plug-in, or it cannot be imported.
    """
    if ":" in name:
        return load_object(name, folder)
    found = _built_in(kind, name, packages, module) or _by_entry_point(kind, name)
    if found is None:
        known = available(kind, packages, module)
        meant = nearest(name, known) or (
            f"; known: {', '.join(known)}, or give package.module:Name or ./file.py:Name"
        )
        raise InputError(f"there is no {_words(kind)} {name!r}{meant}")
    return found


def load_object(place: str, folder: Path | None = None) -> Any:
    """The object at `package.module:name`, or at `path/to/file.py:name` relative to `folder`.

    `folder` (by default the current one) comes first on the import path meanwhile, so a plug-in may
    import modules that are beside it, at its top. The same call in a worker process makes functions
    and classes of the plug-in known there, so that they can be unpickled.

    Raises:
        InputError: nothing is there, or its code raised; the message names the line.
    """
    folder = (folder or Path.cwd()).resolve()
    where, _, attribute = place.rpartition(":")
    try:
        if where.endswith(".py"):
            module = _module_of_file(folder / where)
        else:
            with importable(folder):
                module = importlib.import_module(where)
    except (Exception, SystemExit) as error:  # SystemExit: a script without a main guard
        raise InputError(f"plug-in {place!r} cannot be loaded: {explained(error)}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        known = [name for name in vars(module) if not name.startswith("_")]
        raise InputError(
            f"plug-in {place!r} cannot be loaded: {where} has no {attribute!r}"
            f"{nearest(attribute, known)}"
        ) from None


@contextlib.contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Put `folder` first on the import path within the block, as it is for a script in it.

    Modules imported from it stay in `sys.modules` until a block with another folder begins: two
    recipes in two folders may each have a `helpers.py`.
    """
    for name in [name for name, owner in _folders.items() if owner != folder]:
        del _folders[name]
        sys.modules.pop(name, None)
    if str(folder) in sys.path:  # its modules belong to the whole process
        yield
        return
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if not name.startswith("synthmill.") and _is_within(sys.modules[name], folder):
                _folders[name] = folder


def available(kind: type, packages: tuple[str, ...], module: str = "") -> list[str]:
    """Names of the built-in and installed plug-ins of a kind, sorted."""
    names = {entry.name for entry in entry_points(group=_group(kind))}
    for package in packages:
        found = importlib.import_module(package)
        if not hasattr(found, "__path__"):
            names |= {p.name for p in _classes(kind, found) if hasattr(p, "name")}
            continue
        for entry in pkgutil.iter_modules(found.__path__):
            path = ".".join(filter(None, (package, entry.name, module)))
            # `base` holds the interface; what plug-ins share is a name with an underscore in front,
            # or a folder: of its own where plug-ins are files, without `module` where they are not.
            shared = entry.name == "base" or entry.name.startswith("_")
            if not shared and entry.ispkg == bool(module) and (not module or _exists(path)):
                names.add(entry.name)
    return sorted(names)


def explained(error: BaseException) -> str:
    """What an exception of a plug-in's code says, with file and line."""
    if isinstance(error, ImportError | SyntaxError | FileNotFoundError):
        return str(error)
    return f"{type(error).__name__}: {error}{raised_at(error)}"


def raised_at(error: BaseException) -> str:
    """`` (file.py, line 7)``, or an empty text for an exception that was not raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def place_in_plugin(error: BaseException) -> str | None:
    """`file.py, line 7` of the innermost frame that is in a user's file, if there is one.

    These are the files given as `./file.py:name`, and the modules that they imported.
    """
    names = [name for name in sys.modules if name.startswith(PREFIX)]
    files = {getattr(sys.modules.get(name), "__file__", None) for name in (*names, *_folders)}
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename in files]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else None


def _module_of_file(path: Path) -> ModuleType:
    """The module in a file, under a name that no other file has.

    It is also known by its plain name where that is free, so that a plug-in beside it that imports
    it gets the same classes.
    """
    path = path.resolve()
    name = f"{PREFIX}{sha256_text(str(path))[:12]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    imported = sys.modules.get(path.stem)
    if imported is not None and getattr(imported, "__file__", None) == str(path):
        sys.modules[name] = imported
        return imported
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with importable(path.parent):
            if _is_free(path.stem, path.parent):
                sys.modules[path.stem] = module
            spec.loader.exec_module(module)
    except BaseException:
        for known in [known for known, found in sys.modules.items() if found is module]:
            del sys.modules[known]
        raise
    return module


def _is_free(name: str, folder: Path) -> bool:
    """Whether no module outside `folder` has this name."""
    others = [place for place in sys.path if Path(place).resolve() != folder]
    taken = name in sys.modules or name in sys.stdlib_module_names
    return not taken and importlib.machinery.PathFinder.find_spec(name, others) is None


def _is_within(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None) or ""
    return Path(file).is_relative_to(folder) and "site-packages" not in file


def _group(kind: type) -> str:
    return f"synthmill.{_words(kind).replace(' ', '_')}"


def _words(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()


def _built_in(kind: type, name: str, packages: tuple[str, ...], module: str) -> Any:
    if not name.isidentifier():
        return None
    for package in packages:
        path = ".".join(filter(None, (package, name, module)))
        if not _exists(path):
            path = package
        for found in _classes(kind, importlib.import_module(path)):
            if getattr(found, "name", None) == name:
                return found
    return None


def _classes(kind: type, module: ModuleType) -> Iterator[Any]:
    """The concrete classes of a kind that a module has."""
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, kind) and not inspect.isabstract(found):
            yield found


def _exists(path: str) -> bool:
    try:
        return importlib.util.find_spec(path) is not None
    except ModuleNotFoundError:
        return False


def _by_entry_point(kind: type, name: str) -> Any:
    for entry in entry_points(group=_group(kind), name=name):
        try:
            return entry.load()
        except (Exception, SystemExit) as error:
            raise InputError(f"plug-in {name!r} cannot be loaded: {explained(error)}") from error
    return None
