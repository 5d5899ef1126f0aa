"""What the camera did in a clip: pan, tilt, zoom, static, and the numbers behind the words."""
