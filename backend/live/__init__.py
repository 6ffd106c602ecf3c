"""The websocket: messages in and out, presence, the newest-prompt slot."""
