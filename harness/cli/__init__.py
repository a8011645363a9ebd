"""The verbs, by what they are about; the only room that prints and exits.

Never: computes, holds SQL, or opens trials or isolation.
"""
