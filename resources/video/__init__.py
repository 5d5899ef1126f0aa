"""Reading videos and images: which frames, from any file, without hanging or crashing."""
