"""What many results say together: standings, differences, agreement, similar code, calibration; pure.

Never: reads a store.
"""
