"""The annotation loop and its vocabulary; knows no model and no video."""
