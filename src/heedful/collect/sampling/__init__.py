"""Responses that models give: candidates for items, and the chat. Models come in through protocols."""
