"""The tables of numbered events."""

import uuid

from django.db import models


class ProjectSequence(models.Model):
    """The last event number of a project; its row is the lock that makes numbers gapless."""

    project_id = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField(default=0)


class Event(models.Model):
    """One committed fact of a project, in the words of `docs/protocol.md`."""

    id = models.BigAutoField(primary_key=True)
    project_id = models.UUIDField()
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    subject_id = models.UUIDField(default=uuid.uuid4)
    data = models.JSONField()
    actor = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "seq"], name="event_seq_once_per_project"),
        ]
        indexes = [models.Index(fields=["project_id", "subject_id"], name="event_by_subject")]
