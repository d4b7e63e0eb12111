"""What the system has, and what the library keeps of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._call import library
from ._errors import text
from ._options import chosen_worker


class Feature(NamedTuple):
    """A feature of the kernel."""

    name: str
    #: What it means for the library.
    meaning: str
    #: None where it is unknown.
    is_available: bool | None


class Platform(NamedTuple):
    """What the system has, for a bug report, or a decision before an archive is read."""

    #: The version, the libraries beneath, the kernel and what it lacks, in one line.
    description: str
    kernel: str
    #: The worker that :func:`open` uses unless an option names another one, or why there is none.
    sandbox: str
    has_worker: bool
    features: tuple[Feature, ...]


def platform() -> Platform:
    """Asks the libraries and the kernel, with one child process that ends at once."""
    worker = chosen_worker()
    pointer = library.platform_new()
    try:
        given = pointer.contents
        return Platform(
            text(given.description),
            text(given.kernel),
            text(given.sandbox) if worker is None else worker,
            worker is not None or bool(given.has_worker),
            tuple(_feature(given.features[i].contents) for i in range(given.feature_count)),
        )
    finally:
        library.platform_free(pointer)


def _feature(given: Any) -> Feature:
    available = given.is_available
    return Feature(text(given.name), text(given.meaning), None if available < 0 else bool(available))


def end_pool() -> None:
    """Ends the process that workers are forked from, which the first extraction started; the next one starts it again.

    It holds 3 descriptors and about 10 MB, and ends with this process anyway.
    """
    library.pool_end()
