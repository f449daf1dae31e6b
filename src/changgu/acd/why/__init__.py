"""Why a call was offered to whom it was offered."""
