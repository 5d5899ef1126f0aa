"""The demo world: what its clips show, drawn and written with their ground truth."""
