"""The api's process: `python -m dipper.surface.api.main WORKSPACE`."""

from __future__ import annotations

import sys
from pathlib import Path

from dipper.surface.kernels import keep_kernels_in


def main() -> None:
    """Serve the control plane until SIGTERM."""
    folder = Path(sys.argv[1])
    keep_kernels_in(folder)
    import uvicorn

    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.surface.api.application import build
    from dipper.surface.logging import configure
    from dipper.surface.supervisor import end_with_parent

    end_with_parent()
    configure()
    workspace = Workspace(folder)
    app = build(workspace, system_clock)
    app.state.platform.get_ready()
    serve = workspace.settings.serve
    uvicorn.run(
        app,
        host=serve.host,
        port=serve.control_port,
        interface="asgi3",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
