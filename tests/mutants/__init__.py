"""How strong the tests are: single faults put into the program, and whether a test notices.

Own code, because no library at hand puts a fault where this program needs it. mutmut keeps every mutant in one file
and picks it by a variable of the environment, cosmic-ray overwrites the checkout itself; but workers start with
`python -I` and a clean environment, so a fault in them is real only where the source that they import is changed,
and a fault in `confine` must not reach the machine. Both would be left to do here what these few modules do.
"""
