"""What other people wrote, read and checked: tasks, submissions, hand-ins, configs, data sets, models.

Never: imports a submission, starts anything, knows a result.
"""
