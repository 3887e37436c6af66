"""The robot's world: an occupancy grid, the places worth going to, and their pictures in text, PNG and SVG."""
