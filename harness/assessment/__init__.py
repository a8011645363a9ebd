"""Many candidates on a suite: plan it, hand units to executors, fill the sheet, score it again, export.

Never: starts or times a worker.
"""
