"""Who takes part: people, how they come in, and what each has done."""
