"""The box of bubblewrap: what it holds, who enters it, as whom, and what it shares."""
