"""What text can be stored: PostgreSQL takes neither NUL nor half a surrogate pair."""


def is_storable(text: str) -> bool:
    """Whether the database can keep this text as it is."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
