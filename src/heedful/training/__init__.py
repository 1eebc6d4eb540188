"""Training: one loop for every stage (`loop`), one file per stage (`sft`, `dpo`), what keeps a run safe."""
