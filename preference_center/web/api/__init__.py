"""The JSON API under `/api/v1`. `routes.py` says how a view becomes a route."""
