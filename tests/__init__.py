"""Tests, file by file beside `src/heedful`; whole commands under `integration`."""
