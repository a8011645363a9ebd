"""What an attacker would try first, tried by workers of ours before any submission is started."""
