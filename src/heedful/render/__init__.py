"""From records to tokens: the chat template's exact boundary, truncation with a name, packing without
padding.
"""
