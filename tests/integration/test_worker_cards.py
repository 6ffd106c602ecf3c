"""Real workers with and without a (pretended) graphics card: who takes what, also when one dies or freezes."""

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
from backend.jobs.models import Job, WorkerBeat

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = '''
"""A job that notes which process did each of its steps."""
import os
import time
from uuid import UUID
from backend.jobs import services

def steps(job_id, should_abort):
    job = services.start(UUID(job_id))
    if job is None:
        return
    while len(job.params["by"]) < job.total:
        if should_abort():
            raise services.Stopped
        if "cpu" in os.environ["KIND"]:
            services.move_to_card(job)
        time.sleep(0.1)
        job.params["by"].append(os.environ["KIND"])
        job.save(update_fields=["params"])
    services.finish(job.id)
'''
WORKER = """
import os, sys
sys.path.insert(0, sys.argv[1])
import django
django.setup()
from procrastinate.contrib.django import app
from backend.jobs import routing, running, services, worker
worker.SWEEP_SECONDS, worker.BEAT_SECONDS, worker.STALE_SECONDS = 0.5, 0.5, 15
worker.FROZEN_SECONDS = routing.AWAY_SECONDS = float(os.environ.get("AWAY", "15"))
card = os.environ["KIND"].startswith("card")
services.abilities[:] = [lambda: {"card": "A card" if card else "", "card_models": ["m"] if card else []}]
running.register(app, {"steps": running.Entry("card_jobs:steps", queue="encode", attempts=9)})
worker.run(["bulk"])
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(autouse=True)
def known_here(tmp_path: Path) -> None:
    from procrastinate.contrib.django import app

    (tmp_path / "card_jobs.py").write_text(JOBS)
    if "steps" not in app.tasks:
        running.register(app, {"steps": running.Entry("card_jobs:steps", queue="encode")})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[subprocess.Popen[bytes]] = []
    db = connection.settings_dict
    url = f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}"
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}

    def one(kind: str, **more: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)], env={**env, "KIND": kind, **more})
        begun.append(process)
        name = f":{process.pid}"
        wait_until(lambda: WorkerBeat.objects.filter(name__endswith=name).exists())
        return process

    yield one
    for process in begun:
        process.kill()
        process.wait()


def put(total: int) -> UUID:
    return services.create("encode", "steps", project_id=uuid4(), total=total, params={"by": []}, needs="m").id


def by(job_id: UUID) -> list[str]:
    done: list[str] = Job.objects.get(id=job_id).params["by"]
    return done


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def ended(job_id: UUID) -> bool:
    return Job.objects.get(id=job_id).state == "done"


def test_the_card_does_the_work_and_the_processor_leaves_it_alone(start: Start) -> None:
    start("cpu")
    start("card")
    job_id = put(5)

    wait_until(lambda: ended(job_id))

    assert by(job_id) == ["card"] * 5


def test_a_card_that_comes_takes_over_what_a_processor_has_begun(start: Start) -> None:
    job_id = put(80)
    start("cpu")
    wait_until(lambda: len(by(job_id)) >= 2)

    start("card")
    wait_until(lambda: "card" in by(job_id))

    done = by(job_id)
    assert done == sorted(done, reverse=True)  # all of the processor's steps first: nobody worked beside another
    assert done.count("cpu") < 80


def test_when_the_card_is_killed_a_processor_goes_on_where_it_was(start: Start) -> None:
    start("cpu", AWAY="4")
    card = start("card")
    job_id = put(30)
    wait_until(lambda: len(by(job_id)) >= 3)

    card.send_signal(signal.SIGKILL)
    card.wait()
    wait_until(lambda: ended(job_id))

    done = by(job_id)
    assert len(done) == 30
    assert done == sorted(done)  # the card's steps, then the processor's
    assert set(done) == {"card", "cpu"}


def test_a_worker_that_stops_says_so_and_one_that_was_frozen_starts_afresh(start: Start) -> None:
    stopped, frozen = start("cpu"), start("card", AWAY="2")
    assert WorkerBeat.objects.count() == 2

    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(timeout=20) == 0
    assert WorkerBeat.objects.count() == 1

    frozen.send_signal(signal.SIGSTOP)
    time.sleep(4)
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(timeout=20) == 75
