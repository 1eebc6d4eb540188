"""The web app over a project: server-rendered pages and a REST API. Nothing is loaded from elsewhere."""
