"""From prompts to a suggestion; owns no table."""
