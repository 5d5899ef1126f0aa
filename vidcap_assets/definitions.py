"""The root: the collection in force. Computes nothing, imports no model library."""

from vidcap_assets.collection.component import Collection

defs = Collection.from_file().build_defs()
