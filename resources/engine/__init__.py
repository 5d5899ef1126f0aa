"""What the local models share: loading, placing, batching and generating."""
