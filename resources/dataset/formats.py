"""The forms of a training set."""

from enum import StrEnum


class ExportFormat(StrEnum):
    """What an export may consist of; the Parquet files with the data card are always there."""

    CSV = "csv"
    STEPS = "steps"
    WEBDATASET = "webdataset"
