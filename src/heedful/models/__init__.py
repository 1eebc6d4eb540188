"""Weights and what is done with them: finding a model, its roles, log-probs, sampling and export.

Knows transformers, PEFT and torch; nothing of losses, training loops or the command line.
"""
