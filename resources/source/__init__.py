"""The clips to caption: a folder or a list, read into entries."""
