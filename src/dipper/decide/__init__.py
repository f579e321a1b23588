"""What to offer, here and now: gates, ranking, arms, and the trace that lets anybody ask why."""
