"""A forgotten PIN: a new one, good for one call, goes to the telephone or mail that is known to be the person's."""
