"""Durable files, on a local disk and on object stores."""
