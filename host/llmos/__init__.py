"""LLMos: a language model as the kernel of a small robot; this package is its host side."""

__version__ = "0.1.0"
