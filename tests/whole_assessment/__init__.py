"""A whole assessment as an evaluator would hold it, scripted: hand-ins of twelve, a kill, a resume, two engines."""
