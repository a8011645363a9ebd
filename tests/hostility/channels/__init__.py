"""The hunt for channels: whether anything that one worker does can be read by another.

`carriers` is a submission: for each object that a worker can reach, it leaves a word there or reads one. `hunt`
starts it at a level as a round would, in the relations in which two workers can stand, and compares what was
sent with what arrived; `readings` does so with everything that can be read, without knowing what to look for.
`inventory` says of every system call and file which object tries it, why it can carry nothing, or that nobody
has tried; `page` writes the table.
"""
