"""Calls of the library: handles that are freed exactly once, failures as exceptions, and interrupts while they run."""

from __future__ import annotations

import ctypes
import os
import queue
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Callable, TypeVar

from . import _abi
from ._errors import take

library = _abi.library

#: Seconds that a wait takes before it looks whether it is to end.
STEP = 0.05


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
        #: A memarchive_cancellation of the archive's own, which ends waits too, but for good.
        self.token: Handle | None = None

    @property
    def is_cancelled(self) -> bool:
        return self.token is not None and bool(library.cancellation_is_cancelled(self.token.pointer))

    def interrupt(self, count: int) -> None:
        self.interrupted += count
        self.is_interrupted[0] = b"1" if self.interrupted else b"0"
        # While nothing comes, nobody calls back. What comes once cannot be read again anyway.
        if self.interrupted and self.may_wait and self.token is not None:
            library.cancellation_cancel(self.token.pointer)

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
        code, interruption = function(*pointers(arguments)), None
    else:
        code, interruption = interruptible(callbacks, function, *arguments)
    error = take(failure) if code else None
    # What interrupted the call, or a callback's exception, whatever has become of the call.
    raised, callbacks.raised[:] = [*callbacks.raised, error], []
    try:
        return raised[0] if interruption is None else interruption
    finally:
        del error, raised, interruption


def interruptible(callbacks: Callbacks, function: Any, *arguments: Any) -> tuple[int, BaseException | None]:
    """Calls a function; on another thread, if this one is the main thread, so that a signal's handler can run.

    Returns what the function does, and what a handler raised meanwhile. Python runs those on the main thread alone, and
    between two instructions of its own: never inside of a call. A callback must not run there either: a handler that
    raises as it begins is told to nobody, and the callback counts as done.
    """
    caller = Caller.idle() if threading.current_thread() is threading.main_thread() else None
    if caller is None:
        return int(function(*pointers(arguments))), None
    # A call that is left to itself needs what the callbacks are for.
    work = Work(lambda: function(*pointers(arguments)), callbacks)
    try:
        caller.begin(work)
        caller.wait(work)
    except BaseException as interruption:
        callbacks.interrupt(1)
        try:
            # A second signal leaves the call to itself. The first one may have come before it began, or as it ended.
            caller.begin(work)
            caller.wait(work)
        except BaseException:
            caller.leave()
            raise
        finally:
            callbacks.interrupt(-1)
        return int(caller.take(work)), interruption
    return int(caller.take(work)), None


def pointers(arguments: tuple[Any, ...]) -> Iterator[Any]:
    """Handles as C has them. Whoever holds the arguments holds what they point to."""
    for argument in arguments:
        yield argument.pointer if isinstance(argument, Handle) else argument


class Work:
    """A function that is called once, with what it needs until it has returned."""

    def __init__(self, function: Callable[[], Any], keep: object) -> None:
        self._function: Callable[[], Any] | None = function
        self._keep = keep
        self.is_done = False
        self.result: Any = None
        self.failure: BaseException | None = None

    def do(self) -> None:
        function, self._function = self._function, None
        if function is None:
            return
        try:
            self.result = function()
        except BaseException as error:
            self.failure = error
        self._keep = None
        self.is_done = True


class Caller(threading.Thread):
    """A thread that calls for another one, call after call: to start one takes longer than many a call."""

    def __init__(self) -> None:
        super().__init__(name="memarchive", daemon=True)
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.start()

    @staticmethod
    def idle() -> Caller | None:
        """One that has no call; None if no thread is left."""
        try:
            return _idle.pop()
        except IndexError:
            pass
        try:
            return Caller()
        except RuntimeError:
            return None

    def begin(self, work: Work) -> None:
        """Begins a call, which is to be waited for. To begin the same one again changes nothing."""
        self._work.put(work)

    def wait(self, work: Work, check: Callable[[], object] = lambda: None) -> None:
        """Waits until the call has returned. Raises what a signal's handler does, or `check`."""
        while not work.is_done:
            try:
                # A signal that comes just before a wait does not end it, so that no wait may be long.
                self._ended.get(timeout=STEP)
            except queue.Empty:
                check()

    def take(self, work: Work) -> Any:
        """What the call returned or raised, once that has been waited for. This object is then another call's."""
        if len(_idle) < _IDLE:
            _idle.append(self)
        else:
            self.leave()
        failure, work.failure = work.failure, None
        try:
            if failure is not None:
                raise failure
            return work.result
        finally:
            del failure

    def leave(self) -> None:
        """Leaves a call to itself: the thread ends with it, or now if there is none."""
        self._work.put(None)

    def run(self) -> None:
        for work in iter(self._work.get, None):
            work.do()
            # Nothing of a call is held until the next one.
            del work
            self._ended.put(None)


#: Threads that have no call, and how many may wait for one: an object takes two, that of the call and that which reads.
_idle: list[Caller] = []
_IDLE = 4


def _end_idle() -> None:
    ended = []
    while _idle:
        try:
            ended.append(_idle.pop())
        except IndexError:  # another thread was faster
            break
    for caller in ended:
        caller.leave()
        caller.join()


# A process with threads should not fork, and Python 3.12 warns of it.
os.register_at_fork(before=_end_idle)
