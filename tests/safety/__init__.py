"""What `tools/safety.py` does by the thousand, and the suite by the dozen: real firmware, hosts that fail."""
