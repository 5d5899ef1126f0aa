"""Structured captions: several lengths and parts, written by a language model from all that is known of a clip."""
