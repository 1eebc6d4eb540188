"""Controlled sentiment: film-review sentences that go on well, with a gold reward that nobody trained.

The first experiment of Rafailov et al. 2023 in small: a model is fine-tuned on film-review sentences and
then taught to continue their first words positively, by PPO or by DPO; VADER's compound score is the truth.
"""
