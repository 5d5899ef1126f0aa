"""Training of the embedded checkpoints, from nothing: no part of the installed package."""
