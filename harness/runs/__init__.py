"""One order on this machine: prepare, run, judge, check, prove, rescore, doctor.

Never: knows a suite, a leaderboard, a page.
"""
