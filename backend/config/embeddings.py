"""Reads the settings about stored embeddings: in which form, where, and how much of them is kept."""

import math
from pathlib import Path
from urllib.parse import urlsplit

from backend.config import env
from ml.embeddings.forms import DEFAULT, Form


def forms() -> dict[str, str]:
    """`EDGEWISE_EMBEDDING_FORM`: a form for all models (under ""), and `model=form` for single ones."""
    found = {"": DEFAULT.value}
    for item in env.items("EDGEWISE_EMBEDDING_FORM"):
        model, _, form = item.rpartition("=")
        if form not in {known.value for known in Form}:
            known_forms = ", ".join(Form)
            raise env.BadSetting(f"EDGEWISE_EMBEDDING_FORM names {form!r}. The forms are {known_forms}.")
        found[model.strip()] = form
    return found


def place(data_dir: Path) -> str:
    """`EDGEWISE_EMBEDDINGS`: a folder, by default one in the data folder, or `s3://bucket/prefix`."""
    said = env.text("EDGEWISE_EMBEDDINGS")
    if not said:
        return ""
    parts = urlsplit(said)
    if parts.scheme == "s3":
        if not parts.netloc or parts.username or parts.query:
            raise env.BadSetting(
                "EDGEWISE_EMBEDDINGS must look like s3://bucket/prefix; keys go into AWS_ACCESS_KEY_ID."
            )
        return said
    if parts.scheme and "://" in said:
        raise env.BadSetting(f"EDGEWISE_EMBEDDINGS is a folder or s3://bucket/prefix, not {parts.scheme}://.")
    return str((data_dir / said).resolve())


def most_bytes() -> int | None:
    """`EDGEWISE_EMBEDDINGS_GB`: what is kept on this disk at most; None without a bound."""
    said = env.text("EDGEWISE_EMBEDDINGS_GB")
    if not said:
        return None
    try:
        gigabytes = float(said)
    except ValueError:
        gigabytes = math.nan
    if not 0.05 <= gigabytes < 1e9:
        raise env.BadSetting(f"EDGEWISE_EMBEDDINGS_GB must be a number of gigabytes from 0.05, not {said!r}.")
    return round(gigabytes * 1e9)
