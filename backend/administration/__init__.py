"""The administrator's page: the models of this server; owns no table."""
