"""Who you are: users, sessions and API tokens."""
