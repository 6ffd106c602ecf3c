"""The worker process with real jobs: done, failed, cancelled, stopped and begun again, killed and found."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import connection

from backend.jobs import running, services
from backend.jobs.models import Job

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = '''
"""Jobs that the worker's tests run in the worker process."""
import time
from uuid import UUID
from backend.core.errors import Invalid
from backend.jobs import services

def count(job_id, should_abort):
    if services.start(UUID(job_id)) is None:
        return
    job = services.Job.objects.get(id=job_id)
    for done in range(job.done, job.total):
        if should_abort():
            raise services.Stopped
        time.sleep(0.1)
        services.progress(UUID(job_id), done=done + 1)
    services.finish(UUID(job_id))

def refuse(job_id):
    services.start(UUID(job_id))
    raise Invalid("Choose a CRS.", code="raster.no_crs")

def crash(job_id):
    services.start(UUID(job_id))
    raise RuntimeError("a bug")
'''
WORKER = """
import os, sys
sys.path.insert(0, sys.argv[1])
import django
django.setup()
from procrastinate.contrib.django import app
from backend.jobs import running, worker
worker.SWEEP_SECONDS = 0.5
worker.STALE_SECONDS = 2
running.register(app, {name: running.Entry(f"worker_jobs:{name}", queue="exchange", attempts=1)
                       for name in ("count", "refuse", "crash")})
worker.run(["files"])
"""


@pytest.fixture(autouse=True)
def known_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from procrastinate.contrib.django import app

    (tmp_path / "worker_jobs.py").write_text(JOBS)
    for name in ("count", "refuse", "crash"):
        if name not in app.tasks:
            running.register(app, {name: running.Entry(f"worker_jobs:{name}", queue="exchange")})


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    db = connection.settings_dict
    url = f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}"
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)], env=env)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def put(name: str, total: int = 0) -> UUID:
    return services.create("export", name, project_id=uuid4(), total=total).id


def wait_for(job_id: UUID, holds: Callable[[Job], bool], seconds: float = 30) -> Job:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = Job.objects.get(id=job_id)
        if holds(job):
            return job
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} s the job is {job.state} with {job.done} of {job.total}")


def test_a_job_runs_to_its_end_and_says_how_far_it_is(start_worker: Callable[[], object]) -> None:
    job_id = put("count", total=4)
    start_worker()

    job = wait_for(job_id, lambda job: job.state == "done")

    assert (job.done, job.error) == (4, None)
    assert job.started_at is not None
    assert job.finished_at is not None


def test_an_error_that_the_user_must_mend_and_a_bug_both_end_the_job_with_their_words(
    start_worker: Callable[[], object],
) -> None:
    refused, crashed = put("refuse"), put("crash")
    start_worker()

    first = wait_for(refused, lambda job: job.state == "failed")
    second = wait_for(crashed, lambda job: job.state == "failed")

    assert first.error == {"code": "raster.no_crs", "message": "Choose a CRS."}
    assert second.error is not None
    assert second.error["code"] == "server.error"
    assert "a bug" not in second.error["message"]


def test_a_running_job_is_cancelled_and_goes_on_from_there_when_retried(
    start_worker: Callable[[], object],
) -> None:
    job_id = put("count", total=30)
    start_worker()
    wait_for(job_id, lambda job: job.done >= 2)

    services.cancel(job_id)
    cancelled = wait_for(job_id, lambda job: job.state == "cancelled", seconds=5)
    assert 2 <= cancelled.done < 30

    services.retry(job_id)
    assert wait_for(job_id, lambda job: job.state == "done").done == 30


def test_a_queued_job_is_cancelled_at_once() -> None:
    job_id = put("count", total=3)

    services.cancel(job_id)

    assert Job.objects.get(id=job_id).state == "cancelled"


def test_a_worker_told_to_stop_puts_its_job_back_and_the_next_one_goes_on(
    start_worker: Callable[[], subprocess.Popen[bytes]],
) -> None:
    job_id = put("count", total=120)
    worker = start_worker()
    wait_for(job_id, lambda job: job.done >= 2)

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=15) == 0
    stopped = Job.objects.get(id=job_id)
    assert stopped.state == "running"
    assert 2 <= stopped.done < 120

    start_worker()
    assert wait_for(job_id, lambda job: job.done > stopped.done, seconds=15).state == "running"


def test_the_job_of_a_killed_worker_is_found_and_goes_on(
    start_worker: Callable[[], subprocess.Popen[bytes]],
) -> None:
    job_id = put("count", total=40)
    worker = start_worker()
    wait_for(job_id, lambda job: job.done >= 2)

    worker.kill()
    worker.wait()
    killed_at = Job.objects.get(id=job_id).done
    start_worker()

    assert wait_for(job_id, lambda job: job.state == "done", seconds=60).done == 40
    assert killed_at < 40
