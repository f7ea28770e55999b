"""TLS, bearer tokens, quotas, memory budgets."""
