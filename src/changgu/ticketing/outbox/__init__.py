"""Messages to callers: kept before the caller is told, sent with patience, and never lost without anybody seeing it."""
