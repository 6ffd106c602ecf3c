"""The only door to the queue engine; jobs are enqueued by name."""
