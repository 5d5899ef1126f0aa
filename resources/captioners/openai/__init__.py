"""Captions from servers that speak the OpenAI API."""
