"""TLS, tokens, quotas, memory budgets."""
