"""Facts of a clip that need no weights."""
