"""warrenctl: RabbitMQ's command line tools for Warren, over a node's management HTTP API.

Read `commands.py` first (what a command is), then any family (`users.py`, `listing.py` ...), then `main.py` (how one
runs).
"""
