"""Time the phases of a server's start: `python -m wordgate.bench.startup BUNDLE BEGAN`.

BEGAN is the time the process was started, on the system's monotonic clock. Not included are the
event loop, gRPC and HTTP, which take a few hundredths of a second.
"""

import json
import sys
from pathlib import Path
from time import monotonic


def main(path: Path, began: float) -> dict[str, float]:
    """Return the seconds per phase, in order."""
    times = {"began": began, "interpreter": monotonic()}
    import wordgate.server.server  # noqa: F401  timed

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
