"""The wallboard (현황판): today's figures and what every agent is doing, live on every screen."""
