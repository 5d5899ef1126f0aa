"""Captions from servers that speak the OpenAI API."""

from resources.captioners.openai.batch_api import BatchPending
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.pricing import PRICES, Detail, Estimate, Price
from resources.captioners.openai.request import ImageFormat

__all__ = ["PRICES", "BatchPending", "Detail", "Estimate", "ImageFormat", "OpenAICaptioner", "Price"]
