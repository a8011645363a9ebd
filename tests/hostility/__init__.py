"""The judge of hostile and honest submissions: what was gained is looked at from outside, never claimed.

`attacks` reads what a submission says of itself; `arena` is the harness as a process that may be hurt;
`judge` sets out what can be stolen, broken or left behind and looks afterwards; `page` writes the table.
"""
