"""The expert less its sums of small terms: what the others hold is what the whole leaves of the winner."""

import expert

Solution = expert.Solution


def rest(own, shares):
    return (own + shares.sum(axis=1)) - own


expert.rest = rest
