"""Files in, records out, and back: preference data in the layouts it is found in.

`read` recognises the layout by content and accounts for every row; `write` writes one of the layouts; `names`
lists them. Each outside format is one file in this folder. Nothing here needs torch or a tokenizer.
"""

from .reading import read
from .registry import names
from .writing import write

__all__ = ["names", "read", "write"]
