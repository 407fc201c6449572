"""A small memory of what was just computed, bounded by count and bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by key, least recently used first out; safe to use from several threads.

    Parameters
    ----------
    max_count : int
        Most values that are held.
    max_bytes : int
        Most bytes that all values take together; a larger single value is not held at all.
    size_of : callable
        Bytes of one value.
    """

    def __init__(self, max_count: int, max_bytes: int, size_of: Callable[[Value], int]) -> None:
        self.max_count = max_count
        self.max_bytes = max_bytes
        self._size_of = size_of
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return the value of a key; compute it where it is not held.

        It is computed outside the lock, so two threads that ask at the same moment may both compute it.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = compute()
        self._put(key, value)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._bytes = 0

    def __len__(self) -> int:
        """Number of values that are held."""
        return len(self._values)

    def _put(self, key: Hashable, value: Value) -> None:
        size = self._size_of(value)
        if size > self.max_bytes:
            return
        with self._lock:
            if key in self._values:
                return
            self._values[key] = (value, size)
            self._bytes += size
            while len(self._values) > self.max_count or self._bytes > self.max_bytes:
                _, (_, dropped) = self._values.popitem(last=False)
                self._bytes -= dropped
