"""x"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LARGEST = 1e8  # what may be asked for


TINY = 1e-300
FIRST_MOVE = 0.1
MEMORY = 10
HALVINGS = 12
ENOUGH = 1e-4
# An optimiser yields the point it asks for and is sent the value and gradient told there.
Dialogue = Generator[Floats, tuple[float, Floats], None]


FIRST = 0.3
WINDOW = 60
LAMBDA = 0.3
FLOOR = 0.1
def fit(XX,GG):
    xm=XX.mean(0); gm=GG.mean(0); xc=XX-xm; gc=GG-gm
    den=(xc*xc).sum(); gamma=(xc*gc).sum()/den
    U,S,Vt=np.linalg.svd(xc,full_matrices=False)
    keep=S>1e-10*S[0]; U,S,Vt=U[:,keep],S[keep],Vt[keep]
    return xm,gm,gamma,U,S,Vt,gc
def model(f,lam_rel):
    xm,gm,gamma,U,S,Vt,gc=f
    if gamma<=0: gamma=abs(gamma)+1e-12
    lam=lam_rel*(S*S).sum()/len(xm)
    M=(S[:,None]*(U.T@gc)+lam*gamma*Vt)/(S*S+lam)[:,None]
    Hs=M@Vt.T; Hs=0.5*(Hs+Hs.T)
    w,Q=np.linalg.eigh(Hs)
    w=np.maximum(np.abs(w),gamma*FLOOR)
    B=Q.T@Vt
    a=B@gm
    return xm-(B.T@(a/w)) - (gm-B.T@a)/gamma
def noisy(log, budget):
    X=[a[0] for a in log]; F=[a[1] for a in log]; G=[a[2] for a in log]
    d=len(X[0])
    x=X[int(np.argmin(F))]
    L0=np.linalg.norm(x-X[0])
    radius=max(L0, 1e-12)*RAD if L0>0 else FIRST*np.sqrt(d)
    while True:
        nx=model(fit(np.array(X[-WINDOW:]),np.array(G[-WINDOW:])),LAMBDA)
        mv=nx-x; L=np.linalg.norm(mv)
        if L>radius: mv*=radius/L
        x=x+mv
        f,g=yield x
        X.append(x); F.append(f); G.append(g)
RAD = 2
class Noise(Exception): pass
def minimise(point, value, gradient, budget):
    log=[(point,value,gradient)]
    inner = exact(point, value, gradient, budget)
    x = next(inner)
    state={'known':False}
    while True:
        f,g = yield x
        log.append((x,f,g))
        try:
            x = inner.send((f,g))
        except Noise: break
    yield from noisy(log,budget)

def exact(point, value, gradient, budget):
    pairs = deque(maxlen=50)
    known=[False]
    while True:
        direction = two_loops(gradient, list(pairs))
        slope = float(direction @ gradient)
        if not slope < 0:
            pairs.clear(); direction=-gradient; slope=float(direction@gradient)
        length = 1.0 if pairs else FIRST_MOVE / (np.linalg.norm(gradient) + TINY)
        new_point, new_value, new_gradient, ok = yield from wolfe(point, value, gradient, direction, length, not pairs, known)
        s, y = new_point - point, new_gradient - gradient
        if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
            pairs.append((s, y))
        elif not ok: pairs.clear()
        if new_value<=value:
            point, value, gradient = new_point, new_value, new_gradient
        elif not ok: pairs.clear()

def cubic(a, fa, da, b, fb, db):
    with np.errstate(all='ignore'):
        d1 = da + db - 3*(fa-fb)/(a-b)
        sq = d1*d1 - da*db
        if sq < 0: return 0.5*(a+b)
        d2 = np.sign(b-a)*np.sqrt(sq)
        t = b - (b-a)*(db + d2 - d1)/(db - da + 2*d2)
    return t if np.isfinite(t) else 0.5*(a+b)

C1, C2 = 1e-4, 0.9
def wolfe(x, f0, g0, p, length, fresh, known):
    d0 = float(g0 @ p)
    lo = (0.0, f0, d0, g0); hi = None
    t = length
    for k in range(20):
        if k==2 and not known[0]:
            f,g=yield x
            if abs(f-f0)>1e-9*abs(f0) or np.linalg.norm(g-g0)>1e-9*np.linalg.norm(g0): raise Noise
            known[0]=True
        f, g = yield x + t*p
        d = float(g @ p)
        if f > f0 + C1*t*d0 or (k and f >= lo[1]):
            hi = (t,f,d,g)
        else:
            if abs(d) <= -C2*d0: return x+t*p, f, g, True
            if hi is None:
                if d>=0: hi=lo; lo=(t,f,d,g)
                else: lo=(t,f,d,g)
            else:
                if d*(hi[0]-lo[0])>=0: hi=lo
                lo=(t,f,d,g)
        if hi is None:
            t2 = cubic(0.0,f0,d0,*lo[:3])
            t = min(max(t2, 2*t), 10*t) if t2>t else (10*t if fresh else 4*t)
        else:
            a,b=lo[0],hi[0]
            t=cubic(*lo[:3],*hi[:3])
            m=0.1*abs(b-a); l,h=min(a,b)+m,max(a,b)-m
            t=min(max(t,l),h)
    return x+lo[0]*p, lo[1], lo[3], False


class Solution:
    """Hands each problem to an optimiser of its own, and gathers what they ask for."""

    def __init__(self, context: Any) -> None:
        self.optimisers: list[Dialogue] = []

    def start(
        self, sizes: NDArray[np.int64], budget: int, points: Floats, values: Floats, gradients: Floats
    ) -> Floats:
        self.cuts = np.cumsum(sizes)[:-1]
        parts = zip(np.split(points, self.cuts), values.tolist(), np.split(gradients, self.cuts), strict=True)
        self.optimisers = [minimise(*part, budget) for part in parts]
        return gathered([next(optimiser) for optimiser in self.optimisers])

    def step(self, told: Floats) -> Floats:
        count = len(self.optimisers)
        parts = zip(told[:count].tolist(), np.split(told[count:], self.cuts), strict=True)
        return gathered([own.send(part) for own, part in zip(self.optimisers, parts, strict=True)])

    def sgd(self, start: Floats, gradients: Floats, rate: float, momentum: float) -> Floats:
        point, velocity, found = start, np.zeros_like(start), []
        for gradient in gradients:
            velocity = momentum * velocity + gradient
            point = point - rate * velocity
            found.append(point)
        return np.array(found)

    def rmsprop(
        self, start: Floats, gradients: Floats, rate: float, decay: float, epsilon: float
    ) -> Floats:
        point, square, found = start, np.zeros_like(start), []
        for gradient in gradients:
            square = decay * square + (1 - decay) * gradient**2
            point = point - rate * gradient / (np.sqrt(square) + epsilon)
            found.append(point)
        return np.array(found)

    def adam(
        self, start: Floats, gradients: Floats, rate: float, beta1: float, beta2: float, epsilon: float
    ) -> Floats:
        point, mean, square, found = start, np.zeros_like(start), np.zeros_like(start), []
        for count, gradient in enumerate(gradients, start=1):
            mean = beta1 * mean + (1 - beta1) * gradient
            square = beta2 * square + (1 - beta2) * gradient**2
            root = np.sqrt(square / (1 - beta2**count)) + epsilon
            point = point - rate * mean / (1 - beta1**count) / root
            found.append(point)
        return np.array(found)

    def lbfgs(self, points: Floats, gradients: Floats, memory: int) -> Floats:
        pairs: deque[tuple[Floats, Floats]] = deque(maxlen=memory)
        found = []
        for k in range(len(points)):
            if k:
                s, y = points[k] - points[k - 1], gradients[k] - gradients[k - 1]
                if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
                    pairs.append((s, y))
            found.append(two_loops(gradients[k], list(pairs)))
        return np.array(found)


def gathered(points: list[Floats]) -> Floats:
    """All points end to end, kept within what may be asked for: float64[N]."""
    return np.clip(np.nan_to_num(np.concatenate(points)), -LARGEST, LARGEST)


def two_loops(gradient: Floats, pairs: list[tuple[Floats, Floats]]) -> Floats:
    """The direction of L-BFGS from pairs (s, y), the oldest first (Nocedal 1980): float64[size]."""
    q, shares = gradient.copy(), []
    for s, y in reversed(pairs):
        shares.append((s @ q) / (s @ y))
        q -= shares[-1] * y
    if pairs:
        s, y = pairs[-1]
        q *= (s @ y) / (y @ y)
    for (s, y), share in zip(pairs, reversed(shares), strict=True):
        q += s * (share - (y @ q) / (s @ y))
    return -q
