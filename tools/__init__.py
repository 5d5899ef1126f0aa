"""Programs for who works on vidcap; none of it is installed."""
