"""Files in, records out, and back: preference data in the layouts it is found in.

`read` recognises the layout by content and accounts for every row; `stream` does so without holding the rows;
`write` writes one of the layouts, and `convert` what was streamed; `names` lists them. Each outside format is
one file in this folder. Nothing here needs torch or a tokenizer.
"""

from .converting import Converted, convert
from .reading import read, stream
from .registry import names, writable
from .writing import Written, write

__all__ = ["Converted", "Written", "convert", "names", "read", "stream", "writable", "write"]
