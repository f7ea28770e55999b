"""`python -m wordgate.bench.startup BUNDLE BEGAN`: what a server does until it is ready, timed.

BEGAN is when the process was started, by the system's monotonic clock. What is left of a start is
the event loop's, gRPC's and HTTP's: some hundredths of a second.
"""

import json
import sys
from pathlib import Path
from time import monotonic


def main(path: Path, began: float) -> dict[str, float]:
    """Seconds by part, in their order."""
    times = {"began": began, "interpreter": monotonic()}
    import wordgate.server.server  # noqa: F401  to time it

    times["imports"] = monotonic()
    from wordgate.bundle import bundle as bundles
    from wordgate.engine.loaded_model import check_smoke, network_of

    bundle = bundles.load(path)
    times["verify"] = monotonic()
    network = network_of(bundle)
    times["load"] = monotonic()
    check_smoke(bundle, network)
    times["smoke"] = monotonic()
    network.warm_up()
    times["warm_up"] = monotonic()
    names, when = list(times), list(times.values())
    return {name: round(when[n + 1] - when[n], 4) for n, name in enumerate(names[1:])}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]))))
