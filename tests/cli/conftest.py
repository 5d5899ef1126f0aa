from tests.dataset.conftest import captioned, captioned_once, collection

__all__ = ["captioned", "captioned_once", "collection"]
