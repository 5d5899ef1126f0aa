"""Captioners: annotators that write a caption for a clip."""
