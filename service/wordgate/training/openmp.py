"""How torch's threads wait for each other: to be decided before torch is imported.

Knows the variables of GNU's OpenMP library, which torch's Linux builds use; imports no torch. A
step's two threads meet some 700 times. Threads that sleep at once make it slower by a third on a
quiet machine; threads that spin long make it many times slower beside any other load. A short spin
is nearly the best in both: docs/performance.md has the figures.
"""

import os

_SPINS = "1000"


def limit_openmp_spinning() -> None:
    """Let threads spin for a moment before they sleep, unless the environment says how."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
