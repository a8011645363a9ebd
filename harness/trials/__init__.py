"""Submissions side by side in workers: sessions, turns, pairs, clocks; raw trials out.

Never: knows a threshold, a score or the store.
"""
