"""The table of jobs that people see, beside the queue engine's own."""

import uuid

from django.db import models


class Job(models.Model):
    """One long piece of work with its progress, in the words of `docs/protocol.md`."""

    class State(models.TextChoices):
        """Where a job stands."""

        QUEUED = "queued"
        RUNNING = "running"
        CANCELLING = "cancelling"
        CANCELLED = "cancelled"
        FAILED = "failed"
        DONE = "done"

    OPEN = (State.QUEUED, State.RUNNING, State.CANCELLING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20)
    project_id = models.UUIDField(null=True)  # none: for the whole server, shown to administrators
    raster_id = models.UUIDField(null=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    params = models.JSONField(default=dict)
    error = models.JSONField(null=True)
    engine_job_id = models.BigIntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-created_at"], name="job_by_project"),
            models.Index(fields=["raster_id", "kind", "state"], name="job_by_raster"),
        ]


class WorkerBeat(models.Model):
    """When each worker process last said that it lives, which lanes it serves, and what it can encode with."""

    name = models.CharField(primary_key=True, max_length=80)
    seen_at = models.DateTimeField()
    queues = models.JSONField(default=list)
    can = models.JSONField(default=dict)
