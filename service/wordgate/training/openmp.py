"""Configure OpenMP spinning for torch; must run before torch is imported.

torch's Linux builds use GNU OpenMP. The two threads of a training step synchronise about 700
times. Without spinning a step takes a third longer on an idle machine; with long spinning it takes
many times longer under any other load. A short spin is close to the optimum in both cases: see
docs/performance.md for measurements.
"""

import os

_SPINS = "1000"


def limit_openmp_spinning() -> None:
    """Make threads spin briefly before they sleep, unless the environment configures it."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
