"""Tiny random checkpoints of model families, written as their own libraries write them."""
