"""How skills and agents get better: audited, promoted, watched, found in memory and bred."""
