"""`make run` and `make dev`: sets up what is missing, then keeps web server and worker running until Ctrl-C."""

import contextlib
import http.client
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from backend.launch import setup
from backend.launch.children import end_leftovers
from backend.launch.console import Console
from backend.launch.errors import AlreadyRunning, LaunchError
from backend.launch.locks import Lock
from backend.launch.machine import choose_port
from backend.launch.paths import Paths
from backend.launch.programs import DEFAULT_PORT, Layout, developing_layout, running_layout
from backend.launch.setup import Bench, Database
from backend.launch.shell import tail
from backend.launch.supervisor import Interrupted, StopSignals, Supervisor

READY_SECONDS = 90.0
WEB_CRASHES = 3


def serve(paths: Paths, console: Console, *, developing: bool) -> int:
    """Runs until it is told to stop; 0 then."""
    bench = Bench.of(paths, console)
    setup.prepare_folders(paths)
    alone = Lock(paths.locks / "run")
    if not alone.take():
        raise AlreadyRunning(_who_runs(alone))
    alone.write(pid=os.getpid(), address="")
    signals = StopSignals()
    signals.listen()
    with contextlib.ExitStack() as at_end:
        at_end.callback(alone.release)
        at_end.callback(alone.write, pid=0, address="")
        at_end.callback(signals.only_count)
        console.say(f"Edgewise in {paths.root}")
        try:
            layout, database, sign_in = _prepare(bench, at_end, developing=developing)
            signals.only_count()
            _keep(
                bench,
                Supervisor(
                    layout.programs,
                    paths.logs,
                    _record(paths),
                    signals,
                    console.say,
                    _Guard(database, console),
                    developing,
                ),
                alone,
                layout,
                sign_in,
            )
        except Interrupted:
            console.say("\nStopped before everything was up; the next run goes on from here.")
    console.say("Everything that was started is stopped; your data stays.")
    return 0


def manage(paths: Paths, console: Console) -> int:
    """`make manage DO="createsuperuser"`: one of Django's management commands, on the right database."""
    wanted = shlex.split(os.environ.get("DO", ""))
    if not wanted:
        raise LaunchError('Say what to do: make manage DO="createsuperuser"; DO=help lists the commands.')
    bench = Bench.of(paths, console)
    setup.prepare_folders(paths)
    with contextlib.ExitStack() as at_end:
        setup.install_programs(bench, build=False)
        database = setup.ensure_database(bench)
        at_end.callback(database.stop)
        env = setup.server_environment(paths, database.url)
        return subprocess.run([paths.python, "manage.py", *wanted], cwd=paths.root, env=env, check=False).returncode


def _prepare(bench: Bench, at_end: contextlib.ExitStack, *, developing: bool) -> tuple[Layout, Database, str]:
    """The set-up up to the point where the programs can be started; the database is stopped `at_end`."""
    if ended := end_leftovers(_record(bench.paths)):
        bench.console.say(f"  An earlier run was killed; {ended} of its programs were still there and are ended now.")
    host = os.environ.get("HOST", "").strip() or "127.0.0.1"
    asked = os.environ.get("PORT", "").strip()
    choose_port(host, DEFAULT_PORT, asked)  # says so before the long part
    node = setup.install_programs(bench, build=not developing)
    database = setup.ensure_database(bench)
    at_end.callback(database.stop)
    env = setup.server_environment(bench.paths, database.url)
    setup.migrate(bench, env)
    sign_in = setup.load_demo(bench, database, env)
    port = choose_port(host, DEFAULT_PORT, asked)
    if developing:
        return developing_layout(bench.paths, env, node, host, port), database, sign_in
    return running_layout(bench.paths, env, host, port), database, sign_in


def _keep(bench: Bench, supervisor: Supervisor, alone: Lock, layout: Layout, sign_in: str) -> None:
    """Runs the programs until a stop signal, and ends every one of them in any case."""
    try:
        _come_up(supervisor, bench.console, lambda: is_healthy(layout.host, layout.port, layout.env))
        if not supervisor.stop.count:
            alone.write(pid=os.getpid(), address=layout.address)
            bench.console.say(_welcome(layout, sign_in, bench.paths.logs))
            supervisor.run_until(lambda: False)
    finally:
        if supervisor.stop.count:
            bench.console.say("\nStopping; Ctrl-C once more does not wait for what is being worked on.")
        supervisor.shut_down()


def _come_up(supervisor: Supervisor, console: Console, healthy: Callable[[], bool]) -> None:
    """Starts the programs and waits for the web server's first answer; raises with its last words otherwise."""
    began = time.monotonic()
    supervisor.start()

    def given_up() -> bool:
        return supervisor.crashes("web") >= WEB_CRASHES

    ready = supervisor.run_until(lambda: given_up() or healthy(), READY_SECONDS)
    if supervisor.stop.count:
        return
    if given_up() or not ready:
        words = "\n".join(f"    {line}" for line in tail(supervisor.last_words("web")).splitlines())
        raise LaunchError(
            f"The web server does not come up. Its last words:\n{words}\nAll of them are in {supervisor.logs}/web.log.",
            code="launch.web_failed",
        )
    console.result("Web server and worker", True, time.monotonic() - began)


def is_healthy(host: str, port: int, env: Mapping[str, str]) -> bool:
    """Whether the web server answers and reaches its database."""
    names = [name.strip() for name in env.get("EDGEWISE_HOSTS", "").split(",") if name.strip()]
    name = names[0].lstrip(".") if names and names[0] != "*" else "localhost"
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=2)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/api/health", headers={"Host": name, "X-Forwarded-Proto": "https"})
        return connection.getresponse().status == 200
    return False


def _welcome(layout: Layout, sign_in: str, logs: Path) -> str:
    lines = ["", f"  Edgewise is at {layout.address}", ""]
    if sign_in:
        lines += [*(f"  {line}" for line in sign_in.splitlines()), ""]
    else:
        lines += ["  Sign in with your account.", ""]
    if layout.host not in {"127.0.0.1", "::1", "localhost"}:
        lines += [
            "  It listens to the network, and the passwords of the demo are public: set EDGEWISE_MODE=production for",
            "  a server that others can reach, and EDGEWISE_HOSTS to the names they use for it.",
            "",
        ]
    lines += [f"  Ctrl-C stops everything; your data stays. What the programs say is in {logs}/"]
    return "\n".join(lines)


def _who_runs(alone: Lock) -> str:
    facts = alone.read()
    address, pid = facts.get("address"), facts.get("pid")
    what = f"at {address}" if address else "and is just starting"
    return f"Edgewise runs already, {what} (process {pid}). Stop it with Ctrl-C in its terminal, or: kill {pid}"


class _Guard:
    """Looks after the database server, which is not a child of ours."""

    def __init__(self, database: Database, console: Console) -> None:
        self._database, self._console = database, console
        self._failed = ""

    def __call__(self) -> None:
        try:
            if self._database.revive():
                self._console.say("  The database server had ended; it runs again.")
            self._failed = ""
        except (LaunchError, OSError) as error:
            if str(error) != self._failed:
                self._console.say(f"  The database server has ended and does not start again: {error}")
            self._failed = str(error)


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def _record(paths: Paths) -> Path:
    return paths.locks / "children.json"
