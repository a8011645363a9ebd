"""Many candidates: leaderboard, a candidate's page and feedback, differences, shared code, scores of before."""
