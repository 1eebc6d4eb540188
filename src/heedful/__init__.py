"""Heedful teaches a language model what people prefer."""
