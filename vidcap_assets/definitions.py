"""The root: the collections in force. Computes nothing, imports no model library."""

import dagster as dg

from vidcap_assets.collection.component import Collection

defs = dg.Definitions.merge(*(collection.build_defs() for collection in Collection.in_force()))
