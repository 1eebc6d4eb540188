"""Did the model get better? One file per question asked of it."""
