"""What one submission's measurements are worth: criteria, comparison, certificate, verdicts, score; pure.

Never: calls a task.
"""
