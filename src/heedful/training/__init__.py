"""Training: one loop for every stage (`loop`), one file per stage (`sft`, `dpo`), and what keeps a run safe."""
