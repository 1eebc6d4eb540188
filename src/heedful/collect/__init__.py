"""Collect preferences from people: projects, items, queues, votes, and the web app over them.

Knows records, a database and the web. Models come in through small protocols (`candidates.Sampler`,
`order.Uncertainty`, `chat.Speaker`), so that nothing here imports torch.
"""
