"""The assets, one file for each kind."""
