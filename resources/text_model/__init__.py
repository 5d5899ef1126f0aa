"""A language model that is asked about what is known of a clip, in this process or behind a server."""
