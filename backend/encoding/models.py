"""The table of encoded windows."""

from django.db import models

from backend.rasters.models import Raster


class EncodeWindow(models.Model):
    """One window of a raster under one band recipe and one model, and how far its encoding is."""

    class State(models.TextChoices):
        """What is known of the window."""

        READY = "ready"
        FAILED = "failed"
        SKIPPED = "skipped"

    id = models.BigAutoField(primary_key=True)
    raster = models.ForeignKey(Raster, on_delete=models.CASCADE, related_name="encode_windows")
    recipe_hash = models.CharField(max_length=64)
    model_hash = models.CharField(max_length=64)
    col = models.IntegerField()
    row = models.IntegerField()
    size = models.IntegerField()
    state = models.CharField(max_length=8, choices=State.choices)
    path = models.TextField(blank=True)
    nbytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    encode_ms = models.FloatField(null=True)
    error = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["raster", "recipe_hash", "model_hash", "col", "row", "size"], name="window_once"
            ),
        ]
        indexes = [models.Index(fields=["raster", "model_hash", "state"], name="window_by_state")]
