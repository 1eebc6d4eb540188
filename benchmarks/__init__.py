"""Heedful against what a user would pick instead: the same rows, one run, fresh processes, ratios.

Run `python -m benchmarks` from the repository root. Knows both sides through one small contract
(`measure.JobSpec` in, `measure.JobResult` out); everything a side needs beyond that stays in its own file.
Not part of the installed package.
"""
