"""Reads the settings about stored embeddings: in which form, where, and how much of them is kept."""

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
