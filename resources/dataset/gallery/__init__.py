"""The gallery: a folder of static pages on which every clip can be looked at beside its captions."""

from resources.dataset.gallery.site import Gallery, build_gallery

__all__ = ["Gallery", "build_gallery"]
