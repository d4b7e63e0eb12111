"""Calls of the library: handles that are freed exactly once, failures as exceptions, and interrupts while they run."""

from __future__ import annotations

import _thread
import ctypes
import os
import threading
import warnings
from typing import Any, Callable, TypeVar

from . import _abi
from ._errors import take

library = _abi.library


class Handle:
    """A pointer that is freed when the last reference to this object goes.

    Whoever uses the pointer holds the object while it does, so that no thread can free what another one uses: closing
    is to drop a reference.
    """

    __slots__ = ("__weakref__", "_free", "keep", "pointer")

    def __init__(self, pointer: Any, free: Callable[[Any], None], keep: object = None) -> None:
        self.pointer, self._free, self.keep = pointer, free, keep

    def __del__(self) -> None:
        self._free(self.pointer)


_Self = TypeVar("_Self", bound="Closing")


class Closing:
    """What holds a handle until it is closed, and is its own context manager."""

    #: Whether it must be closed, because it holds more than memory.
    _warns = False

    _handle: Handle | None = None

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @property
    def _open(self) -> Handle:
        """The handle, which the caller holds as long as it uses the pointer."""
        handle = self._handle
        if handle is None:
            raise ValueError(f"this memarchive.{type(self).__name__} is closed")
        return handle

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._handle is None

    def close(self) -> None:
        """Lets go of it; more than once does no harm."""
        self._handle = None

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._warns and self._handle is not None:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    # Each is itself alone, mappings too: to compare them would read archives.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<memarchive.{type(self).__name__}{', closed' if self.closed else self._described()}>"

    def _described(self) -> str:
        return ""


class Callbacks:
    """What callbacks of one archive have to tell the calls that they were called from."""

    def __init__(self) -> None:
        #: What callbacks raised. ctypes would print it and go on.
        self.raised: list[BaseException] = []
        #: Whether Python runs during a call that takes no callback itself.
        self.run_python = False
        #: Whether a call may wait for somebody else, who writes to a pipe.
        self.may_wait = False
        #: How many calls are to end because their thread was interrupted; and as text, whether there are any.
        self.interrupted = 0
        self.is_interrupted = ctypes.create_string_buffer(b"0")

    def interrupt(self, count: int) -> None:
        self.interrupted += count
        self.is_interrupted[0] = b"1" if self.interrupted else b"0"

    def guard(self, function: Callable[[], object]) -> int:
        """Runs the body of a callback: 0, or 1 if it failed."""
        try:
            function()
        except BaseException as error:
            self.raised.append(error)
            return 1
        return 1 if self.interrupted else 0


def call(function: Any, *arguments: Any) -> None:
    """Calls a function that needs no archive to be read, and raises what it fails with."""
    failure = ctypes.POINTER(_abi.Error)()
    if function(*arguments, ctypes.byref(failure)):
        raise take(failure)


def make(
    function: Any,
    *arguments: Any,
    free: Callable[[Any], None],
    callbacks: Callbacks,
    keep: object = None,
    result: Any = None,
    is_short: bool = False,
) -> Handle | None:
    """Calls a function that reads an archive and stores a handle; None if it stores none."""
    place = ctypes.c_void_p() if result is None else result
    error = perform(callbacks, function, *arguments, ctypes.byref(place), is_short=is_short)
    # First of all whatever was made gets an owner.
    pointer = place.value if isinstance(place, ctypes.c_void_p) else place
    handle = Handle(pointer, free, keep) if pointer else None
    try:
        throw(error)
    finally:
        del error
    return handle


def throw(error: BaseException | None) -> None:
    """Raises what `perform` returned, if anything.

    No frame keeps the error in a variable: its traceback holds the frames, and the cycle would keep archives and their
    descriptors until the collector comes by.
    """
    try:
        if error is not None:
            raise error
    finally:
        del error


def perform(callbacks: Callbacks, function: Any, *arguments: Any, is_short: bool = False) -> BaseException | None:
    """Calls a function that reads an archive; returns what is to be raised.

    One that `is_short`, takes no callback and waits for nobody is not worth to be interruptible.
    """
    failure = ctypes.POINTER(_abi.Error)()
    arguments = (*arguments, ctypes.byref(failure))
    if is_short and not callbacks.run_python and not callbacks.may_wait:
        code = function(*arguments)
    else:
        code = interruptible(callbacks, function, *arguments)
    error = take(failure) if code else None
    # A callback's exception, whatever has become of the call.
    return callbacks.raised.pop(0) if callbacks.raised else error


def interruptible(callbacks: Callbacks, function: Any, *arguments: Any) -> int:
    """Calls a function; on another thread, if this one is the main thread, so that a signal's handler can run.

    Python runs those on the main thread alone, and between two instructions of its own: never inside of a call.
    A callback must not run there either: a handler that raises as it begins is told to nobody, and the callback
    counts as done.
    """
    if threading.current_thread() is not threading.main_thread():
        return int(function(*arguments))
    try:
        caller = _idle.pop() if _idle else _Caller()
    except RuntimeError:  # no thread is left
        return int(function(*arguments))
    caller.begin(function, arguments)
    try:
        caller.ended.acquire()
    except BaseException:
        callbacks.interrupt(1)
        try:
            # A second signal leaves the call to itself: it may wait for a pipe that nobody writes to.
            caller.ended.acquire()
        finally:
            callbacks.interrupt(-1)
        _idle.append(caller)
        raise
    _idle.append(caller)
    if caller.failure is not None:
        raise caller.failure
    return caller.code


class _Caller(threading.Thread):
    """A thread that calls for the main thread, one call after another: to start one takes longer than many a call."""

    def __init__(self) -> None:
        super().__init__(name="memarchive", daemon=True)
        self._begun, self.ended = _thread.allocate_lock(), _thread.allocate_lock()
        self._begun.acquire()
        self.ended.acquire()
        self.code = 0
        self.failure: BaseException | None = None
        self._work: tuple[Any, tuple[Any, ...]] | None = None
        self.start()

    def begin(self, function: Any, arguments: tuple[Any, ...]) -> None:
        """`ended` is released when the call has returned."""
        self._work = (function, arguments)
        self._begun.release()

    def end(self) -> None:
        """Ends the thread, which has no call."""
        self._begun.release()
        self.join()

    def run(self) -> None:
        while True:
            self._begun.acquire()
            if self._work is None:
                return
            function, arguments = self._work
            try:
                self.code, self.failure = function(*arguments), None
            except BaseException as error:
                self.failure = error
            # Nothing of a call is held until the next one.
            del function, arguments
            self._work = None
            self.ended.release()


#: Threads that have no call: more than one only after an interrupt, or a handler that reads archives itself.
_idle: list[_Caller] = []


def _end_idle() -> None:
    while _idle:
        _idle.pop().end()


# A process with threads should not fork, and Python 3.12 warns of it.
os.register_at_fork(before=_end_idle)
