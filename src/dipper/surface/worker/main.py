"""The worker's process: `python -m dipper.surface.worker.main WORKSPACE`."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from pathlib import Path

from dipper.surface.kernels import keep_kernels_in


def main() -> None:
    """Run the worker until SIGTERM."""
    folder = Path(sys.argv[1])
    keep_kernels_in(folder)
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.surface.append import ThroughGateways
    from dipper.surface.logging import configure
    from dipper.surface.supervisor import end_with_parent
    from dipper.surface.worker.warming import warm
    from dipper.surface.worker.worker import Worker

    end_with_parent()
    configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    workspace = Workspace(folder)
    workspace.state.claim()
    # What stands now stays; and what comes refers to nothing, so cycles are rare (ADR 0010).
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    worker = Worker(workspace, ThroughGateways(workspace, system_clock), system_clock)
    if worker.projector.served is not None:
        warm(worker.projector.served, workspace.data)
    worker.run(stop)
    workspace.state.close()


if __name__ == "__main__":
    main()
