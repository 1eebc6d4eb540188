"""Collect preferences from people: projects, items, queues, votes, and the web app over them.

Knows records, a database and the web. Models come in through small protocols (`candidates.Sampler`,
`order.Uncertainty`, `chat.Speaker`), so that nothing here imports torch.

From the ground up: `settings` and `answer`, what is asked and what is said; `store`, where it is kept;
`work`, who is given what, votes and review, beside `team`, who takes part; `findings`, `exchange` and
`sampling`, which know nothing of each other; and `web`, the pages and the API over all of them.
"""
