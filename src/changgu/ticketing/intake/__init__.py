"""Messages that reach the desk without an agent on the line, each of which becomes a ticket."""
