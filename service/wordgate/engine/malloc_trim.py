"""Return freed memory to the operating system.

The C library keeps freed memory for later allocations. After a model is loaded or released, this
would leave tens of megabytes unused.
"""

import ctypes


def give_back() -> None:
    """Return free pages of all malloc arenas to the system, if the C library supports it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
