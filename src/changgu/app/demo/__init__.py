"""An example desk: a ministry's people, its service desk, and a crowd that really calls."""
