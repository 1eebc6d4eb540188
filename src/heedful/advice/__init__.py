"""Which road fits: what was measured about data, model and machine; the rules that judge it; a recipe for it.

`facts` holds what was measured, `readiness` says whether the model can do the task yet, `rules` choose a
road, `recipe_text` writes it down. Nothing here reads a file or asks a model: `heedful.advising` does.
"""
