"""vidcap: what Dagster sees."""


def __getattr__(name: str):
    if name == "Collection":
        from vidcap_assets.component import Collection

        return Collection
    raise AttributeError(name)


__all__ = ["Collection"]


def __dir__() -> list[str]:
    """What `dg` looks through for components."""
    return __all__
