"""Give freed memory back to the system.

The C library keeps what was freed for later allocations: after a model was loaded or let go,
dozens of megabytes that nothing will use.
"""

import ctypes


def give_back() -> None:
    """Return the free pages of every arena to the system, where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
