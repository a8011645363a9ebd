"""Many candidates: the leaderboard, a candidate's page and feedback, differences, shared code, what was scored again."""
