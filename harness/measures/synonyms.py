"""Common words and what may stand in their place: a reader takes the text for the same. A small list of our own."""

from __future__ import annotations

# A word, and its equals: function words, and words that documentation, questions, news and reviews are full of.
_LINES = """
the: this, that
a: one, some
of: out of, for
to: so as to, in order to
is: happens to be
are: happen to be
for: as to, in favour of
as: like, in the way of
an: one, some
if: in case, where
whether: if
and: as well as, plus
or: or else, alternatively
with: along with, together with
by: via, through
from: out of
in: within, inside
on: upon
that: which
which: that
when: whenever, once
this: the present
each: every
every: each
any: some
only: merely, solely
also: likewise, too
into: inside
between: among
can: may, is able to
must: has to
should: ought to
will: shall, is going to
used: employed, utilised
using: by means of, employing
use: employ, utilise
uses: employs, utilises
return: give back, hand back
returns: gives back, hands back
returned: given back, handed back
compute: calculate, work out
computes: calculates, works out
computed: calculated, worked out
calculate: compute, work out
calculates: computes, works out
given: supplied, provided
specified: stated, provided
create: make, build
creates: makes, builds
created: made, built
construct: build, make
constructs: builds, makes
get: obtain, fetch
gets: obtains, fetches
number: count, quantity
element: entry, item
elements: entries, items
function: routine
functions: routines
method: procedure
object: thing, entity
default: standard, usual
new: fresh
first: initial
last: final
same: identical
different: unlike, other
example: instance, sample
examples: instances, samples
convert: turn, transform
converts: turns, transforms
apply: carry out, bring to bear
perform: carry out, do
performs: carries out, does
check: test, verify
checks: tests, verifies
remove: delete, drop
removes: deletes, drops
contains: holds, includes
contain: hold, include
containing: holding, including
represent: stand for, denote
represents: stands for, denotes
representing: standing for, denoting
determine: establish, find
determines: establishes, finds
find: locate, detect
finds: locates, detects
show: display
shows: displays
display: show
provide: supply, offer
provides: supplies, offers
allow: let, permit
allows: lets, permits
type: kind, sort
types: kinds, sorts
kind: type, sort
result: outcome
results: outcomes
parameter: setting
parameters: settings
optional: not required
current: present
several: a number of, multiple
multiple: several, many
many: numerous
single: lone, sole
large: big, sizeable
big: large, sizeable
small: little, tiny
little: small
fast: quick, swift
quick: fast, swift
simple: plain, easy
easy: simple, plain
available: at hand, accessible
following: ensuing, subsequent
previous: earlier, preceding
load: read in
store: keep, save
save: keep, store
update: refresh
change: alter, modify
changes: alters, modifies
modify: alter, change
generate: produce, create
generates: produces, creates
produce: generate, create
split: divide, separate
combine: merge, join
evaluate: assess, appraise
estimate: approximate, gauge
raise: throw
raises: throws
error: fault, mistake
ensure: make sure
indicate: signal, tell
indicates: signals, tells
define: lay down, specify
defines: lays down, specifies
defined: laid down, specified
describe: explain, set out
implement: realise, carry out
implements: realises, carries out
handle: deal with, manage
handles: deals with, manages
whole: entire, full
entire: whole, full
size: extent
length: extent, span
total: overall, entire
best: finest, top
where: in which
while: whereas, as long as
without: lacking
within: inside
over: across
along: following, down
some: a few
other: further
both: the two
then: afterwards, thereupon
how: in what way
why: for what reason
very: quite, truly
really: truly, indeed
just: merely, simply
but: yet, however
because: since, as
though: although
although: though
before: prior to
after: following
about: regarding, concerning
often: frequently
always: at all times
never: at no time
now: at present
today: on this day
movie: film
movies: films
film: movie
films: movies
people: folks, persons
said: stated, told
say: state, tell
says: states, tells
want: wish, would like
need: require
needs: requires
help: aid, assist
buy: purchase
bought: purchased
start: begin, commence
starts: begins, commences
begin: start, commence
end: finish, close
think: believe, feel
see: observe, notice
good: fine
great: splendid
bad: poor
awful: dreadful
boring: dull
funny: amusing
nice: pleasant
story: tale
actor: performer
actors: performers
company: firm, business
companies: firms, businesses
money: cash
country: nation
countries: nations
city: town
house: home
doctor: physician
child: youngster
children: youngsters
job: post, position
received: got
receive: get
tell: inform
send: dispatch
sent: dispatched
choose: pick, select
select: choose, pick
selected: chosen, picked
list: listing
add: append, include
adds: appends, includes
added: appended, included
make: create, produce
makes: creates, produces
made: created, produced
test: check, trial
run: execute
base: underlying
common: frequent, widespread
specific: particular
particular: specific
various: sundry, diverse
important: weighty, significant
required: needed
necessary: needed, required
possible: feasible
"""

EQUALS: dict[str, tuple[str, ...]] = {
    word: tuple(other.strip() for other in others.split(","))
    for word, _, others in (line.partition(":") for line in _LINES.strip().splitlines())
}
