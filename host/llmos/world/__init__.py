"""The robot's world: an occupancy grid, the places worth going to, and pictures in text, PNG and SVG."""
