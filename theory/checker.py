"""The lone checker: re-verifies a certificate with the standard library alone.

Copy this file anywhere and run ``python checker.py FILE``.  It shares no code with whatever
found the certificate, prints in plain mathematics the statement it has verified, and exits 0;
it exits 1 when the proof does not hold and 2 when the file cannot be read as a certificate.

THEOREMS lists, for each kind of statement, relations from which it follows (all chains are
finite, Pf is the mean of f after one step, W any reversible walk on the clusters; a move tagged W
takes the cluster a step along it).  Why they suffice:
Times.  If f >= 0 and f = 1 + Pf off the target, f(X_n) + n is a martingale: the target is reached,
f is the mean time, what solves another linear equation its mean; >= or <= give bounds.
Law.  If the flow x -> y is that of the reversed chain from y to x, the law is stationary up to a
factor, which Kac's formula (law x return time = 1) fixes, and which is one as o is reached.
Gap.  f > 0 off o, f - Pf >= g f gives E(h, h) >= g |h - h(o)|^2 (Barta); E(f, f)/Var f is above.
Modes.  On Z_K x types the functions z^k v(type), z^K = 1, and those summing to 0 inside a type
(eigenvalue at most 0) are invariant; w = (z + 1/z)/2 <= c = cos(2 pi/K), "others" is the mean over
other clusters.  With S_n = sum t^n for relaxation times t of the slowest mode, max t >= S_2/S_1.
Walks.  Of a chain on clusters x types the law is a product, and a cluster makes sum law*away steps
of W a step.  With A = |f - f(., o)|, B = |f(., o) - mean| and flow = that sum, E(f, f) >= kappa A^2
+ flow gap(W) B^2, |f - mean| <= A + B; above, f constant inside clusters.  Two classes and an
eigenvalue 1 - g of W: 1 - x is an eigenvalue for x^2 - b x + c2 = 0, growing in g.
Others.  Watched on a cluster, moves of W return to where moves of W land.  Cheeger: gap/2 <= the
conductance <= the flow out of a cluster.  P_y(o before y) is Pf for f = 1 at o, 0 at y, harmonic
elsewhere.  Capacity x commute time = 1.  Kemeny's constant is the mean of law(y) E_law(time to y).
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter
from contextlib import suppress
from functools import lru_cache, partial, reduce
from itertools import groupby
from math import gcd, inf
from typing import Any

FORMAT = "metastable-certificate/2"
ERRORS = LookupError, TypeError, ValueError, AttributeError, RecursionError, MemoryError
HUGE, DEGREE, WORK, SIZE = 1 << 2000, 500, 12 * 10**7, 4 * 10**6  # number, term, effort, file
MEMORY = 3 << 29  # bytes
left = [inf]  # what remains of WORK while a certificate is checked
NAME = re.compile(r"(?!([ijwxz]|[huvwm]\d+)$)[A-Za-z]\w*", re.ASCII)  # the others are ours
LABEL = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
PLAIN = re.compile(rf"{LABEL.pattern}|(?!.*\w +\w)[-\w+*/()<>= ]*", re.ASCII)  # no sentences
TOKENS = re.compile(r"(?:[A-Za-z_]\w*\b|\d+\b|[-+*/() ])+", re.ASCII)
RELATION = re.compile(r"([^<>=]+)(==|>=|<=|>|<)([^<>=]+)")
# The square of what divides by numbers only: a quotient may have poles.
SQUARE = re.compile(r"\((?:[^()/]|/\d|\((?:[^()/]|/\d)*\))*\)\*\*2(?!\d)")
SHIFTS = {"": "1", "+1": "z", "-1": "1/z", "others": "-1/(K - 1)"}  # by tag of a move
BACK = {"+1": "-1", "-1": "+1"}  # the other tags are their own ways back
SAID = {"W": "and a step of W", "+1": "of the next cluster", "-1": "of the cluster before"}
THEOREMS = """
mean-hitting-time: the mean time to hit {target} from {start} is {value}, on the rows{chain}
  off: f >= 0, f - Pf == 1
  on: f == 0
  start: value == f
hitting-time-between: the mean time from {start} to {target} lies in [{lower}, {upper}], on{chain}
  off: f >= 0, f - Pf >= 1, g - Pg <= 1
  on: f >= 0, g <= 0
  start: upper == f, lower == g, lower > 0
second-moment: the mean square of the time to hit {target} from {start} is {value}, on{chain}
  off: f >= 0, f - Pf == 1, m - Pm == 2*f - 1
  on: f == 0, m == 0
  start: value == m
return-time: the mean time to return to {target} is {value}, on the rows{chain}
  off: f >= 0, f - Pf == 1
  on: single == 1, f == 0, value == 1 + Pf
generating-function: the mean of ({s})**(time from {start} to {target}) is {value}, on{chain}
  off: f >= 0, f - Pf == 1, m == s*Pm, s > 0, s <= 1
  on: f == 0, m == 1
  start: value == m
stationary: {law} are, row by row, the probabilities of one state in the stationary law of{chain}
  from: return-time chain
  may: reversed
  off: size >= 0, law >= 0
  on: size == 1, v0*law == 1
time-from-law: the mean time from the stationary law to {target} is {value}, on{chain}
  from: stationary chain
  off: f >= 0, f - Pf == 1
  on: single == 1, f == 0
  sums: mean = size*law*f
  end: value == mean
kemeny: if {count} states are like {target}, others like {home}, Kemeny's constant is {value}{chain}
  from: stationary chain; time-from-law chain target; time-from-law chain target=home
  on: single == 1
  sums: share = here*law
  end: count*share <= 1, value == count*share*v1 + (1 - count*share)*v2
aggregated-matrix: the clusters ({clusters}) have the aggregated matrix{aggregated}\n  of{chain}
  from: stationary chain
aggregated-hitting-time: the mean time from {start} to {target} is {value}, on the aggregated \
matrix{aggregated}\n  of the clusters ({clusters}) of{chain}
  from: aggregated-matrix chain clusters aggregated; mean-hitting-time chain=aggregated target start
  end: value == v1
comparison: {claims} for the values v0, v1, ... in{of}
expansion: the value is {series} + r*{scale} with {lower} <= r <= {upper}, in{of}
  from: .*
  end: scale > 0, v0 - series - lower*scale >= 0, series + upper*scale - v0 >= 0
capacity: if a symmetry exchanges {start} and {target}, the capacity law({start})*P(from there to \
{target} before it returns) is {value}, on the rows{chain}
  from: mean-hitting-time chain target start
  end: 2*v0*value == 1
gap-lower: a reversible chain that lumps to these rows, {pivot} one state, has gap >= {value}{chain}
  off: f > 0, f - Pf - value*f >= 0
  on: single == 1, f == 0
gap-upper: every reversible chain that lumps to these rows has spectral gap <= {value}{chain}
  from: stationary chain reversed=none
  sums: mean = size*law*f, square = size*law*f*f, energy = size*law*f*(f - Pf)
  end: square - mean*mean > 0, value*(square - mean*mean) - energy >= 0
modes-lower: the spectral gap is >= {value}, each move uniform on its class{chain}
modes-upper: the spectral gap is <= {value}, each move uniform on its class{chain}
modes-gap: the spectral gap lies in [{lower}, {upper}], at most a factor {ratio} apart, each move \
uniform on its class{chain}
exact-gap: the spectral gap lies in [{lower}, {upper}], at most a factor {ratio} apart, and is the \
smaller root x of x**2 - ({b})*x + ({c2}), {pivot} one state, each move uniform on its class{chain}
  tags: others
  from: modes-gap chain lower upper ratio; composed-mode chain=walked pivot b c2
  sums: leave = away
  end: leave > 0, (K - 1)*m1 == -1, (b - leave*K/(K - 1))*leave*K/(K - 1) - c2 >= 0
spectral-gap: the spectral gap lies in [{lower}, {upper}], at most a factor {ratio} apart, for \
every reversible chain that lumps to the rows{chain}
  from: .*-lower chain; gap-upper chain
  end: lower == v0, upper == v1, lower > 0, ratio*lower - upper >= 0
composed-law: {law} times {outer}, row by row for one state each, is stationary on clusters x \
types, the types with the rows{chain}\n  and the clusters with{walk}
  from: stationary chain=inside law; stationary chain=walk law=outer
composed-aggregated: the mean time from {start} to {target} is {value}, on the aggregated matrix \
of clusters with the rows{chain}\n  joined by the walk W on{walk}
  from: stationary chain=inside; mean-hitting-time chain=walk target start
  sums: flow = size*law*away
  end: flow > 0, value*flow == v1
composed-gap: the spectral gap lies in [{lower}, {upper}], at most a factor {ratio} apart, for \
reversible clusters that lump to the rows, {pivot} one state{chain}\n  joined by the walk W on{walk}
  from: gap-lower chain=inside pivot; stationary chain=inside reversed=none; .*-lower chain=walk; \
.*-upper chain=walk
  sums: flow = size*law*away
  end: lower > 0, v0 > 0, flow*v2 > 0, v0*flow*v2 - lower*(v0 + flow*v2) >= 0, \
upper - flow*v3 >= 0, ratio*lower - upper >= 0
conductance: the conductance lies in [{lower}, {upper}], for two reversible clusters or more with \
the rows{chain}\n  joined by the walk W on{walk}
  from: composed-gap chain walk; stationary chain=inside reversed=none
  sums: flow = size*law*away
  end: 2*lower == w0, upper == flow
composed-mode: if W has an eigenvalue {mode}, the smaller root x of x**2 - ({b})*x + ({c2}) gives \
the eigenvalue 1 - x, each move uniform on its class, {pivot} one state, for clusters with{chain}
  from: stationary chain=inside reversed=none
  sums: trace = stay, leave = away, enter = (1 - here)*(1 - stay)
  end: classes == 2, b == 2 - trace + leave*(1 - mode), c2 == leave*(1 - mode)*enter
composed-root: the spectral gap is the smaller root x of x**2 - ({b})*x + ({c2}), each move \
uniform on its class, {pivot} one state, for clusters with{chain}\n  joined by a W \
of gap {gap}{walk}
  from: composed-mode chain=chain pivot b c2; .*-lower chain=walk value=gap; .*-upper chain=walk \
value=gap
  tags: W
  sums: leave = away
  end: m0 == 1 - gap, (b - leave*gap)*leave*gap - c2 >= 0
stochastic-complement: an irreducible chain of clusters, watched on one, has these rows, where a \
move tagged W stays{chain}
  tags: W
  sums: exits = leaves
  end: exits == 1
pseudo-gap: an irreducible chain of clusters, watched on one, where moves tagged W stay and each \
is uniform on its class, has pseudo-spectral gap {value}{chain}
  from: stationary chain=inside reversed=none
  sums: trace = stay, exits = leaves
  end: classes == 2, exits == 1, value == 1 - (trace - 1)**2
metastability-ratio: with x the states {pivot} and a walk W that never stays, P_x(another x \
before x again) over P_y(some x before y again) is {value} for y = {home}, on the rows{chain}
  from: mean-hitting-time chain=inside target=alone
  off: other*(1 - single) == 0, other*f == 0, (1 - other)*(f - Pf) == 0, 1 - other + Pf > 0
  on: single == 1, f == 1, other == 0
  sums: leave = away, meet = other*Pf
  end: meet > 0, value*meet == leave
"""
RULES = dict[str, dict[str, str]]()
for block in re.split(r"\n(?=\S)", THEOREMS.strip()):
    pairs = [line.strip().split(": ", 1) for line in re.split(r"\n  (?=\w+: )", block)]
    RULES[pairs[0][0]] = {"says": pairs[0][1], **dict(pairs[1:])}


class Refused(Exception):
    """The certificate does not prove its statement."""


def need(condition: Any, reason: str, work: int = 0) -> None:
    """Refuse the certificate unless the condition holds and effort remains for the work."""
    left[0] -= work
    if not condition or left[0] < 0:
        raise Refused("too much work" if left[0] < 0 else reason)


NO_FACTORS = Counter[Any]()


class Q:
    """A rational function: terms (sorted variables: coefficient) over a multiset of such."""

    def __init__(self, num: Any, den: Any = None):
        self.num: dict[tuple[str, ...], int] = {m: c for m, c in dict(num).items() if c}
        self.den: Any = den if den and self.num else NO_FACTORS
        size = 5 + len(self.num) + len(self.den) + sum(map(len, self.num)) // 16
        need(not self.den or self.den.total() < DEGREE, "an expression is too large", size)

    def content(self) -> Any:
        """What makes two the same, as a key."""
        return frozenset(self.num.items()), frozenset(self.den.items())

    def __add__(self, other: Q) -> Q:
        a, b, den = self, other, self.den
        if self.den or other.den:
            den = self.den | other.den
            above = (Q(q.num) if q.den else q for q in (self, other))
            more = (map(Q, (den - q.den).elements()) for q in (self, other))
            a, b = (reduce(Q.__mul__, factors, q) for factors, q in zip(more, above, strict=True))
        total = dict(a.num)
        for m, c in b.num.items():
            total[m] = total.get(m, 0) + c
        return Q(total, den)

    def __sub__(self, other: Q) -> Q:
        return self + Q({m: -c for m, c in other.num.items()}, other.den)

    def __mul__(self, other: Q) -> Q:
        total, (here, there) = dict[tuple[str, ...], int](), (len(self.num), len(other.num))
        letters = here * sum(map(len, other.num)) + there * sum(map(len, self.num))
        need(here * there < 10**6, "an expression is too large", here * there + letters // 4)
        for m, c in self.num.items():
            for n, e in other.num.items():
                product = tuple(sorted(m + n)) if m and n else m or n
                total[product] = total.get(product, 0) + c * e
        fits = all(len(m) < DEGREE and abs(c) < HUGE for m, c in total.items())
        need(fits, "a number is too large")
        return Q(total, self.den + other.den if self.den and other.den else self.den or other.den)

    def __truediv__(self, other: Q) -> Q:
        need(other.num, "division by zero")
        content = gcd(*other.num.values())
        parts = [((m, c // content) for m, c in other.num.items()), [((), content)]]
        below = Counter(f for f in map(frozenset, parts) if f != frozenset({((), 1)}))
        return reduce(Q.__mul__, map(Q, other.den.elements()), self) * Q({(): 1}, below)


ONE = Q({(): 1})
OPERATIONS = {ast.Add: Q.__add__, ast.Sub: Q.__sub__, ast.Mult: Q.__mul__, ast.Div: Q.__truediv__}


@lru_cache(maxsize=4096)
def tree(text: str) -> ast.expr:
    """The syntax tree of an expression; no comments, no other notations of numbers."""
    need(TOKENS.fullmatch(text) and len(text) < 10**5, f"not an expression: {text[:60]!r}")
    try:
        return ast.parse(text.strip(" "), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"not an expression: {text[:60]}") from error


def parse(text: str, env: dict[str, Q], divisors: list[Q]) -> Q:
    """Read an expression: + - * / **, integers and the names in env; note what divides."""

    def walk(node: ast.expr) -> Q:
        match node:
            case ast.Constant(value=n) if type(n) is int and n < HUGE:
                return Q({(): n})
            case ast.Name(id=name) if name in env:
                return env[name]
            case ast.UnaryOp(op=ast.USub(), operand=a):
                return Q({}) - walk(a)
            case ast.BinOp(left=a, op=ast.Pow(), right=ast.Constant(value=n)):
                if type(n) is int and n <= 100:
                    return reduce(Q.__mul__, [walk(a)] * n, ONE)
            case ast.BinOp(left=a, op=op, right=b) if type(op) in OPERATIONS:
                first, second = walk(a), walk(b)
                divisors.extend([second] if isinstance(op, ast.Div) else [])
                return OPERATIONS[type(op)](first, second)
        raise Refused(f"unknown name or operation in {text[:60]}")

    need(True, "", 30 + len(text))
    return walk(tree(text))


class Domain:
    """Parameters with facts such as ``K >= 2``; signs are shown by proofs, taken one by one.

    A proof is an expression in u0, u1, ..., the facts in order, with no minus but in squares.
    """

    def __init__(self, data: Any, proofs: Any):
        self.data, self.proofs, self.seen = data, proofs, dict[Any, int]()
        self.known = dict[Any, Q]()
        self.env = {n: Q({(n,): 1}) for n in data["integers"] + data["reals"]}
        for name in data["values"]:
            self.env.pop(name, None)
        for name, value in data["values"].items():
            self.env[name] = parse(value, self.env, [])
        facts = [self.relation(f, lambda side: parse(side, self.env, [])) for f in data["facts"]]
        self.slack = {f"u{n}": q for n, (q, _) in enumerate(facts)}
        self.least = {f"u{n}": Q({(): int(s == ">")}) for n, (_, s) in enumerate(facts)}

    def extended(self, facts: Any = (), values: Any = (), **names: list[str]) -> Domain:
        """The same domain with more facts, values, integers or reals."""
        more = {"facts": [*facts], "integers": [], "reals": [], **names}
        parts = {k: self.data[k] + more[k] for k in more}
        return type(self)(parts | {"values": {**self.data["values"], **dict(values)}}, self.proofs)

    def read(self, text: Any, **more: Q) -> Q:
        """The value of an expression that has no pole on the domain."""
        key = text, *((n, q.content()) for n, q in more.items())
        if key not in self.known:
            divisors = list[Q]()
            q = parse(text, self.env | more, divisors)
            need(all(self.sign(Q(d.num), True) for d in divisors), "a denominator may vanish")
            self.known[key] = q
        return self.known[key]

    def relation(self, text: str, read: Any) -> tuple[Q, str]:
        """``a >= b`` and ``b <= a`` as (a - b, ">="), and so on."""
        found = RELATION.fullmatch(text)
        if found is None:
            raise Refused(f"not a relation: {text[:60]!r}")
        a, b = map(read, found.group(1, 3))
        return (b - a if found[2][0] == "<" else a - b), found[2].replace("<", ">")

    def offered(self, q: Q, strict: bool) -> Any:
        """The next proof."""
        return next(self.proofs, "0")

    def sign(self, q: Q, strict: bool) -> int:
        """1 or -1 where q or -q is shown to be >= 0 (or > 0) on the whole domain, else 0."""
        key = q.content(), strict
        if not any(q.num) and not q.den:  # a number
            return (q.num.get((), 0) > 0) - (q.num.get((), 0) < 0) or int(not strict)
        if key not in self.seen:
            proof = self.offered(q, strict)
            loose = SQUARE.sub(lambda m: "0" if "-" in m[0] else m[0], proof)
            sure, shown = parse(loose, self.least, []).num, parse(proof, self.env | self.slack, [])
            same = [n for n, p in ((1, shown - q), (-1, shown + q)) if not p.num]
            self.seen[key] = same[0] if same and "-" not in loose and (sure or not strict) else 0
        return self.seen[key]

    def holds(self, text: str, **given: Any) -> bool:
        """Whether a relation is shown, with what is given for names: values or expressions."""
        names = [n for n in dict.fromkeys(re.findall(r"[A-Za-z]\w*", text)) if n in given]
        env = {n: self.read(given[n]) if isinstance(given[n], str) else given[n] for n in names}
        q, sign = self.relation(text, lambda side: self.read(side, **env))
        return not q.num if sign == "==" else self.sign(q, sign == ">") > 0

    def show(self, relations: str, **given: Any) -> None:
        """Require relations of ours, all of whose names must be given."""
        for text in filter(None, relations.split(", ")):
            known = {*re.findall(r"[A-Za-z]\w*", text)} <= {*given, "K"}
            need(known and self.holds(text, **given), f"not shown: {text}")

    def integral(self, q: Q) -> bool:
        """Whether the values are integers: a polynomial in the integers."""
        return not q.den and not {n for m in q.num for n in m} & {*self.data["reals"]}

    def index(self, texts: Any, ranges: Any) -> list[Q]:
        """The indices j (and i) of a place, in the ranges of its class."""
        at = [self.read(x) if isinstance(x, str) else x for x in listed(texts)]
        for x, (lo, hi) in zip(at, spans(ranges), strict=True):
            self.show("x >= lo, x <= hi", x=x, lo=lo, hi=hi)
            need(self.integral(x), "an index is no integer")
        return at

    def inside(self, other: Any, **chosen: Q) -> None:
        """Require that the domain, with what is chosen, lies in another one, by its facts."""
        known = all({*other[k]} <= {*self.data[k], *chosen} for k in ("integers", "reals"))
        need(known and other["values"] in ({}, self.data["values"]), "other parameters")
        need(all(self.holds(fact, **chosen) for fact in other["facts"]), "a larger domain")


def listed(at: Any) -> list[Any]:
    """The indices of a place: none, one, or a list."""
    return [] if at is None else [at] if isinstance(at, str) else list(at)


def spans(index: Any) -> list[tuple[str, str]]:
    """First and last value of j, and of i where there are two indices."""
    need(index is None or (isinstance(index, list) and len(index) in (2, 4)), "no range")
    return [*zip((index or [])[::2], (index or [])[1::2], strict=True)]


def indices(at: Any) -> dict[str, Any]:
    """By name."""
    return dict(zip("ji", at, strict=False))


class Row:
    """A generic row: class, number, ranges of its indices, and the domain in which they lie."""

    def __init__(self, domain: Domain, number: int, data: Any):
        self.name, self.number, self.data, self.free = data["from"], number, data["to"], ""
        self.spans, self.domain = spans(data["index"]), domain
        for name, (lo, hi) in indices(self.spans).items():
            if domain.holds("hi == lo", hi=hi, lo=lo):
                self.domain = self.domain.extended(values={name: lo})
            else:
                facts, self.free = [f"{name} >= {lo}", f"{name} <= {hi}"], self.free + name
                self.domain = self.domain.extended(facts, integers=[name])
        self.place = [self.domain.env[name] for name in indices(self.spans)]

    def moves(self, here: Domain | None = None, **at: Q) -> list[tuple[str, list[Q], Q, str]]:
        """Class, index, probability and tag of each move."""
        read = (here or self.domain).read
        return [
            (to, [read(x, **at) for x in listed(index)], read(p, **at), "".join(tag))
            for to, index, p, *tag in self.data
        ]


class Chain:
    """Classes of like states, and rows that serve each index of each class exactly once."""

    def __init__(self, domain: Domain, data: Any, tags: Any = ()):
        self.domain, self.classes, self.rows = domain, data["classes"], list[Row]()
        need({row["from"] for row in data["rows"]} <= {*self.classes}, "unknown class")
        for name, info in self.classes.items():
            need(LABEL.fullmatch(name), "bad name of a class", len(data["rows"]))
            rows = [(spans(r["index"]), n, r) for n, r in enumerate(data["rows"])]
            self.cover([row for row in rows if row[2]["from"] == name], spans(info["index"]))
        for row in self.rows:
            need(all(m[3:] in ([], *([tag] for tag in tags)) for m in row.data), "a wrong move")
            for to, at, p, _ in row.moves():
                row.domain.index(at, self.classes[to]["index"])
                row.domain.show("p >= 0", p=p)
            row.domain.show("total == 1", total=total(p for _, _, p, _ in row.moves()))

    def cover(self, rows: Any, ranges: Any) -> None:
        """Require that the rows, index by index, serve the ranges one after the other."""
        need(all(len(row[0]) == len(ranges) for row in rows) and (ranges or len(rows) == 1), "rows")
        if not ranges:
            self.rows.append(Row(self.domain, *rows[0][1:]))
            return
        first, last = map(self.domain.read, ranges[0])
        for span, group in groupby(rows, key=lambda row: row[0][0]):
            lo, hi = map(self.domain.read, span)
            need(self.domain.integral(lo) and self.domain.integral(hi), "a range of no integers")
            self.domain.show("lo == first, hi + 1 >= lo", lo=lo, hi=hi, first=first)
            first = hi + ONE
            if (first - lo).num:
                self.cover([(s[1:], n, row) for s, n, row in group], ranges[1:])
        self.domain.show("first == last + 1", first=first, last=last)

    def single(self, name: str) -> bool:
        """Whether a class is one state."""
        return bool(self.classes[name] == {"size": "1", "index": None})

    def mass(self, law: Any, row: Row, here: Domain, **at: Q) -> Q:
        """The stationary mass of a class at an index."""
        return here.read(self.classes[row.name]["size"], **at) * here.read(law[row.number], **at)


def total(parts: Any) -> Q:
    """The sum."""
    return reduce(Q.__add__, parts, Q({}))


def product(a: Any, b: Any) -> Q:
    """The sum of the products."""
    return total(map(Q.__mul__, a, b))


def retagged(chain: Any, **tags: list[str]) -> Any:
    """The rows with other tags on the moves that have a certain one."""
    rows = [
        {**row, "to": [[*m[:3], *tags.get("".join(m[3:]), m[3:])] for m in row["to"]]}
        for row in chain["rows"]
    ]
    return {**chain, "rows": rows}


def same(a: list[Q], b: list[Q]) -> bool:
    """Whether two indices are identically equal."""
    return len(a) == len(b) and not any((x - y).num for x, y in zip(a, b, strict=True))


def within(here: Domain, inner: Any, outer: Any) -> bool:
    """Whether one range lies in another."""
    ends = {"a": inner[0], "b": inner[1], "c": outer[0], "d": outer[1]}
    return here.holds("a >= c", **ends) and here.holds("b <= d", **ends)


def flow(moves: Any, here: Domain, to: str, at: list[Q], tag: str) -> Q:
    """The probability of the moves to a place, once no other move can lead there."""
    found = [(index, p) for name, index, p, its in moves if (name, its) == (to, tag)]
    for index, _ in found:
        pairs = [{"a": x, "b": y} for x, y in zip(index, at, strict=True)]
        apart = (here.holds(f"a {sign} b", **pair) for pair in pairs for sign in "<>")
        need(same(index, at) or any(apart), f"two moves to {to} may coincide")
    return total(p for index, p in found if same(index, at))


def balance(chain: Chain, law: Any, back: Chain) -> None:
    """Require that the flow of every move is that of the reversed rows the other way."""
    for row in chain.rows:
        here, moves = row.domain, row.moves()
        for to, at, _, tag in moves:
            for there in [r for r in back.rows if r.name == to]:
                ends = [
                    {"x": x, "lo": y[0], "hi": y[1]} for x, y in zip(at, there.spans, strict=True)
                ]
                if any(here.holds("x < lo", **x) or here.holds("x > hi", **x) for x in ends):
                    continue
                back_moves, tag_back = there.moves(here, **indices(at)), BACK.get(tag, tag)
                out = chain.mass(law, row, here) * flow(moves, here, to, at, tag)
                home = flow(back_moves, here, row.name, row.place, tag_back)
                mass = chain.mass(law, there, here, **indices(at))
                here.show("out == mass*home", out=out, mass=mass, home=home)


def stationary(s: Any, w: Any, law: Any, chain: Chain) -> None:
    """The law of a chain, by its reversed rows."""
    rows, back = s["chain"]["rows"], s.get("reversed", s["chain"]["rows"])
    need([(r["from"], r["index"]) for r in back] == [(r["from"], r["index"]) for r in rows], "rows")
    balance(chain, law, Chain(chain.domain, {**s["chain"], "rows": back}))


def aggregated(s: Any, w: Any, law: Any, chain: Chain) -> None:
    """The matrix of the clusters, A_kl = sum over x in C_k of pi_k(x) P(x, C_l)."""
    meta, label = Chain(chain.domain, s["aggregated"]), s["clusters"]
    need({*label} == {*chain.classes} and {*label.values()} == {*meta.classes}, "other clusters")
    for name in label:
        ends = [listed(c["index"]) for c in (chain.classes[name], meta.classes[label[name]])]
        need(same(*([chain.domain.read(x) for x in index] for index in ends)), "other indices")
    letters = dict[str, Q]()

    def mean(moves: Any, names: Any) -> Q:
        """The mean of a function of the clusters, a letter for each of its values."""
        keys = [str((names[to], [sorted(x.num.items()) for x in at])) for to, at, _, _ in moves]
        values = [letters.setdefault(key, Q({(f"h{len(letters)}",): 1})) for key in keys]
        return product([p for _, _, p, _ in moves], values)

    for row in meta.rows:
        here, whole, leaving = row.domain, Q({}), Q({})
        for name in [name for name in label if label[name] == row.name]:
            mine = [r for r in chain.rows if r.name == name]
            serve = [r for r in mine if all(map(partial(within, here), row.spans, r.spans))]
            need(len(serve) == 1, f"no single row of {name} serves the cluster")
            mass = chain.mass(law, serve[0], here)
            whole, leaving = whole + mass, leaving + mass * mean(serve[0].moves(here), label)
        own = mean(row.moves(), {name: name for name in meta.classes})
        here.show("whole > 0, whole*own == leaving", whole=whole, own=own, leaving=leaving)


def characteristic(a: list[list[Q]]) -> list[Q]:
    """The coefficients of det(x - a), highest first (Faddeev and LeVerrier)."""
    out, b = [ONE], [[Q({})] * len(a) for _ in a]
    for k in range(1, len(a) + 1):
        b = [[product(row, column) for column in zip(*b, strict=True)] for row in a]
        for i, row in enumerate(b):
            row[i] += out[-1]
        trace = total(product(a[i], [row[i] for row in b]) for i in range(len(a)))
        out.append(Q({}) - trace / Q({(): k}))
    return out


def modes(s: Any, w: Any, law: Any, chain: Chain) -> None:
    """The modes of a chain on clusters x types whose moves depend on the shift of the cluster."""
    domain, names = chain.domain, [row.name for row in chain.rows]
    tags, z = {move[3] for row in chain.rows for move in row.moves()}, Q({("z",): 1})
    about = {fact for fact in domain.data["facts"] if re.search(r"\bc\b", fact)}
    known = about == {"c >= -1", "c < 1"} and "c" in domain.data["reals"]
    need(known or "c" not in domain.env, "c is no more, and no less")
    need(not domain.data["values"] and 0 < len(names) <= 8, "values, or how many types")
    need((tags == {""}) == ("even" in s["chain"]), "uniform or not")
    need(tags == {""} or (domain.integral(domain.read("K")) and domain.holds("K >= 2")), "K")
    for row in chain.rows:
        size = domain.read(chain.classes[row.name]["size"])
        need(domain.integral(size) and not row.spans, "no number of states")
        domain.show("size > 0, law > 0", size=size, law=law[row.number])
    balance(chain, law, chain)

    def block(shifts: Any) -> list[Q]:
        """det(x - B) of a mode, where a move adds its probability times its shift."""
        matrix = [[Q({})] * len(names) for _ in names]
        for line, row in zip(matrix, chain.rows, strict=True):
            for to, _, p, tag in row.moves():
                line[names.index(to)] += p * parse(shifts[tag], domain.env | {"z": z}, [])
        return characteristic(matrix)

    lower, upper = (s.get("value" if s["kind"].endswith(k) else k) for k in ("lower", "upper"))
    far, given = domain.extended(["x > 0"], reals=["x"]), list[Q]()
    near = far.extended(["w >= -1", "w <= c" if about else "w <= 1"], reals=["w"])
    if tags != {""}:  # the block in w = (z + 1/z)/2
        given, half = [near.read(text) for text in w["block"]], (z + ONE / z) / Q({(): 2})
        shown = [parse(text, domain.env | {"w": half}, []) for text in w["block"]]
        need(same(shown, block(SHIFTS)), "another block")
    if upper:  # some relaxation time is >= (sum of squares)/sum
        need(given, "no clusters")
        most = domain.env | {"w": domain.env.get("c", ONE)}
        p = [parse(text, most, []) for text in reversed(w["block"])]
        slope = [c * Q({(): n}) for n, c in enumerate(p)]
        curve = [c * Q({(): n - 1}) for n, c in enumerate(slope)]
        sums = {f"p{n}": total(q) for n, q in enumerate((p, slope, curve))}
        domain.show("p0 > 0, upper*(p1*p1 - p0*p2) - p0*p1 >= 0", upper=upper, **sums)
        if lower:  # (sum)^2 <= number of types x sum of squares, by Cauchy and Schwarz
            sharp = "lower*p1 == p0, upper*(p1*p1 - p0*p2) == p0*p1"
            domain.show(sharp, lower=lower, upper=upper, **sums)
            need(s["ratio"] == str(len(names)), "the ratio is the number of types")
    if lower:  # no root x of a mode beyond 1 - lower
        alone = all(chain.single(name) for name in names)
        need(alone or domain.holds("v <= 1", v=lower), "the modes inside a class")
        zero, x = block(dict.fromkeys(SHIFTS, "1")), far.read("1 - v + x", v=domain.read(lower))
        rest = [total(zero[: n + 1]) for n in range(len(names))]  # over x - 1
        for here, coefficients in ((far, rest), (near, given or rest)):
            value = reduce(lambda value, c: value * x + c, coefficients, Q({}))
            here.show("value > 0", value=value)


CHECKS: Any = {"stationary": stationary, "aggregated-matrix": aggregated}
CHECKS |= dict.fromkeys(("modes-lower", "modes-upper", "modes-gap"), modes)


def by_theorem(s: Any, w: Any, premises: Any, domain: Domain) -> None:
    """Require the premises of a theorem and its relations on every row, of sums, at the start."""
    rule, given = RULES[s["kind"]], {**s, "alone": [s.get("pivot")]}
    tags = ["+1", "-1", "others"] if s["kind"].startswith("modes") else rule.get("tags", "").split()
    tags = tags or ["W"] * ("inside" in rule.get("from", ""))
    if tags:
        given["inside"] = retagged(s["chain"], W=[])
        given["walked"] = retagged(s["chain"], others=["W"])
    wanted = [part.split() for part in rule.get("from", "").split("; ") if part]
    need(s["kind"] == "comparison" or len(wanted) == len(premises), "other premises")
    for n, premise in enumerate(premises):
        kind, *fields = wanted[n] if wanted else [".*"]
        need(re.fullmatch(kind, premise["kind"]), f"a premise of kind {premise['kind']}")
        for mine, _, theirs in [field.partition("=") for field in fields]:
            need(premise.get(mine) == given.get(theirs or mine), f"a premise has another {mine}")
        domain.inside(premise["domain"])
        need("some" not in premise, "a premise holds for some integer only")
        told = {"v": "value", "w": "lower", "m": "mode"}
        given |= {f"{x}{n}": premise[key] for x, key in told.items() if key in premise}
    sums = dict[str, Q]()
    if {"off", "on", "sums"} & {*rule} or tags or s["kind"] in CHECKS:
        sums = by_rows(s, w, premises, domain, given, tags)
    claims = s.get("claims", [])
    values = {f"v{n}": given[f"v{n}"] for n in range(len(premises)) if f"v{n}" in given}
    need(isinstance(claims, list), "no list of claims")
    for claim in claims:
        need(domain.holds(claim, **values), f"not shown: {claim}")
    domain.show(rule.get("end", ""), **(given | sums))


def by_rows(s: Any, w: Any, premises: Any, domain: Domain, given: Any, tags: Any) -> dict[str, Q]:
    """Require the relations on every row, and at the start; give the sums over all states."""
    rule, chain, sums = RULES[s["kind"]], Chain(domain, s["chain"], tags), dict[str, Q]()
    laws = [p["law"] for p in premises if p["kind"] == "stationary"]
    law = s.get("law", laws[0] if laws else w.get("law"))
    need(law is None or (isinstance(law, list) and len(law) == len(s["chain"]["rows"])), "no law")
    given |= {key: domain.read(s[key]) for key in ("value", "s") if key in s}  # no index in them
    goals = s.get("target") or [p["target"] for p in premises if "target" in p][:1]
    target = given["alone"] if "pivot" in s else s.get("target") or (goals and goals[0])
    one, known = len(target) == 1 or "single" not in rule.get("on", ""), {*chain.classes}
    fits = "on" not in rule or (target and {*target} <= known and one)
    need(isinstance(target, list) and fits, "target", len(target) * len(chain.rows))
    flat = len(chain.rows) * (not any(r.spans for r in chain.rows) and "even" not in s["chain"])
    functions = [f for f in "fgm" if f in w.get("functions", {})]

    def value(here: Domain, f: str, name: str, at: Any = ()) -> Q:
        return here.read(w["functions"][f][name], **indices(at))

    for row in chain.rows:
        here, moves, name = row.domain, row.moves(), row.name
        single, walks = chain.single(name), [m for m in moves if m[3]]
        flags = {"here": name in target, "single": single, "other": name == s.get("home")}
        flags |= {"leaves": bool(walks), "classes": flat}
        env = given | {k: Q({(): int(v)}) for k, v in flags.items()}
        env |= {"size": here.read(chain.classes[name]["size"])}
        env |= {"law": here.read(law[row.number])} if law else {}
        env |= {"away": total(p for _, _, p, _ in walks)}
        env |= {"stay": total(p for to, _, p, _ in moves if to == name)}
        steady = single and all(to == name for to, *_ in walks) and [name] == target
        need("pivot" not in s or not walks or steady, "W steps elsewhere than at the pivot")
        for f in functions:
            values = [value(here, f, to, at) for to, at, *_ in moves]
            env |= {f: value(here, f, name), "P" + f: product([m[2] for m in moves], values)}
        try:
            here.show(rule.get("on" if name in target else "off", ""), **env)
        except Refused as error:
            raise Refused(f"{error}, in the row of {name}") from error
        for key, text in [x.split(" = ") for x in rule.get("sums", "").split(", ") if x]:
            part = here.read(text, **{k: env[k] for k in re.findall(r"[A-Za-z]\w*", text)})
            if row.free and part.num:  # by a function of j (or i) with these differences
                last, ends = w["sums"][key][row.number], row.spans["ji".index(row.free)]
                at, (lo, hi) = indices(row.place), map(domain.read, ends)  # lo == hi + 1, perhaps
                step = here.read(last) - here.read(last, **{row.free: at[row.free] - ONE})
                need(not (step - part).num, "another sum")
                above, below = ({**at, row.free: x} for x in (hi, lo - ONE))
                part = domain.read(last, **above) - domain.read(last, **below)
            sums[key] = sums.get(key, Q({})) + part
    if s["kind"] in CHECKS:
        CHECKS[s["kind"]](s, w, law, chain)
    if "start" in rule:
        need(isinstance(s["start"], list), "no start")
        to, index = s["start"]
        first = domain.index(index, chain.classes[to]["index"])
        domain.show(rule["start"], **(given | {f: value(domain, f, to, first) for f in functions}))
    return {**sums, "classes": Q({(): flat})}


def by_cases(s: Any, w: Any, premises: Any, domain: Domain) -> None:
    """A statement by parts that cover its domain: an integer e >= 0 is 0, 1, .., or >= n.

    A real e is >= 0 or <= 0.
    """
    e, last, base = w["split"], len(premises) - 1, domain.data
    q, whole = domain.read(e), "integer" in w
    covers = domain.integral(q) and domain.sign(q, False) > 0 if whole else last == 1
    need(last >= 1 and covers, "no split")
    varied = {k for k, v in s.items() if whole and isinstance(v, dict) and v.get("by") == e}
    need(all(len(s[k]["cases"]) == last + 1 for k in varied), "other parts than cases")
    for n, part in enumerate(premises):
        data, values, facts = part["domain"], base["values"], [*base["facts"]]
        mine = {k: v["cases"][n] if k in varied else v for k, v in s.items()}
        if whole and n < last:  # e = n for one value of a parameter only
            ((name, value),) = [item for item in data["values"].items() if item[0] not in values]
            values, a, b = {**values, name: value}, q - Q({(): n}), domain.env[name]
            ends = a - b + domain.read(value), a + b - domain.read(value)
            need(not (ends[0].num and ends[1].num), "another value")
        else:
            facts += [f"({e}) - {n} >= 0" if whole else f"{'-' * n}({e}) >= 0"]
        need({**mine, "domain": data} == part, "the parts conclude different things")
        inside = all(data[k] == base[k] for k in ("integers", "reals")) and data["values"] == values
        need(inside and {*data["facts"]} <= {*facts}, "a part has another domain")


def some(s: Any, w: Any, premises: Any, domain: Domain) -> None:
    """There is an integer, one of a/n, (a + 1)/n, .., to which the premise applies."""
    name, (premise,), count = s["some"], premises, int(w["of"])
    told = {k: v for k, v in s.items() if k != "some"} | {"domain": premise["domain"]}
    need(told == premise and "start" not in s, "the premise says something else, or of a time")
    values = " ".join(v for k, v in s.items() if isinstance(v, str) and k != "some")
    free = name not in {*domain.env, "K"} and name in premise["domain"]["integers"]
    need(free and not re.search(rf"\b{name}\b", values), f"{name} is not free, or mentioned")
    q = domain.read(w["multiple"])
    need(domain.integral(q) and 0 < count < 100, f"perhaps no integer {name}")
    for n in range(count):
        domain.inside(premise["domain"], **{name: (q + Q({(): n})) / Q({(): count})})


def prove(s: Any, w: Any, premises: Any, domain: Domain) -> None:
    """Require that the witness and the premises prove the statement on its domain."""
    need("split" in w or s.get("of", premises) == premises, "other premises")
    if "vacuous" in w:  # the facts contradict each other: nothing to show
        gap = domain.relation(w["vacuous"], domain.read)[0]
        need(w["vacuous"] in domain.data["facts"] and domain.sign(gap, True) < 0, "not empty")
    elif "split" in w:
        by_cases(s, w, premises, domain)
    else:
        (some if "some" in s else by_theorem)(s, w, premises, domain)


# ---------------------------------------------------------------- statements in words
def words(key: str, value: Any) -> str:
    """A part of a statement in words."""
    if isinstance(value, dict) and isinstance(value.get("cases"), list):
        cases = enumerate(words(key, part) for part in value["cases"])
        return "".join(f"\n  where {value['by']} is {n} (the last: or more):{x}" for n, x in cases)
    if isinstance(value, dict) and "rows" in value:
        also = ", or on its other states" * ("even" in value)
        modes = any(
            tag in BACK or tag == "others" for r in value["rows"] for m in r["to"] for tag in m[3:]
        )
        lines = ["", f"    (each move to a class uniform on it{also})"] if also or modes else [""]
        for row in value["rows"]:
            ends = indices(spans(row["index"])).items()
            at = ", ".join(f"{x} = {a} .. {b}" for x, (a, b) in ends)
            moves = [
                " ".join([place(to, i), *(SAID.get(x, f"of the {x}") for x in tag), "with", p])
                for to, i, p, *tag in row["to"]
            ]
            name, size = row["from"], value["classes"][row["from"]]["size"]
            lines.append(f"    {place(name, at or None)} (size {size}) -> {'; '.join(moves)}")
        return "\n".join(lines)
    if isinstance(value, dict):
        return ", ".join(f"{k}: {words(k, v)}" for k, v in value.items())
    if isinstance(value, list) and key == "of":
        return "".join(f"\n- {text(part)}" for part in value)
    if isinstance(value, list):
        return place(*value) if key == "start" else ", ".join(words(key, v) for v in value)
    return str(value)


def place(name: str, at: Any) -> str:
    """``bulk`` or ``bulk[j + 1]``."""
    return name if at is None else f"{name}[{at if isinstance(at, str) else ', '.join(at)}]"


def text(s: Any) -> str:
    """A statement in words."""
    domain = s["domain"]
    given = [f"{k} = {v}" for k, v in domain["values"].items()] + domain["facts"]
    given += ["c = cos(2*pi/K)"] * ("c" in domain["reals"])
    sorts = [f"{k} {', '.join(domain[k])}" for k in ("integers", "reals") if domain[k]]
    said = RULES[s["kind"]]["says"].format_map({k: words(k, v) for k, v in s.items()})
    exists = f"there is an integer {s['some']} for which " if "some" in s else ""
    said = said.removesuffix(" for the values v0, v1, ... in")  # there are none
    said += "\n  (the time reversal has rows of its own)" * ("reversed" in s)
    return f"For all {' and '.join(sorts)} with {', '.join(given)}: {exists}{said}"


def plain(value: Any) -> None:
    """Refuse text that could be taken for more than one phrase when it is printed."""
    if isinstance(value, dict | list):
        for part in [*value, *(value.values() if isinstance(value, dict) else [])]:
            plain(part)
    else:
        need(value is None or PLAIN.fullmatch(value), f"not plain text: {value!r}")


def verified(certificate: Any, done: dict[str, Any]) -> Any:
    """The statement of a certificate, once it and its premises hold."""
    key = json.dumps(certificate)
    need(True, "", len(key))
    if key not in done:
        need(certificate["format"] == FORMAT, "not a certificate of this format")
        given, s, w = certificate["premises"], certificate["statement"], certificate["witness"]
        need(isinstance(given, list) and isinstance(w["signs"], list), "no list")
        need(s["kind"] in RULES, f"unknown kind {s['kind']!r}")
        rule, premises = RULES[s["kind"]], [verified(premise, done) for premise in given]
        must = {"kind", "domain", *re.findall(r"{(\w+)}", rule["says"])}
        may = {"some", *rule.get("may", "").split()}
        need(must <= {*s} <= must | may, f"not the parts of a statement of kind {s['kind']}")
        plain(s)
        domain, known = s["domain"], {"integers", "reals", "facts"}
        need({*domain} == known | {"values"}, "other parts of a domain")
        lists = all(isinstance(domain[k], list) and len(domain[k]) <= 100 for k in known)
        need(lists and {*domain["values"]} <= {*domain["integers"], *domain["reals"]}, "no lists")
        names = domain["integers"] + domain["reals"]
        need(len({*names}) == len(names) and all(map(NAME.fullmatch, names)), "bad parameters")
        prove(s, w, premises, Domain(domain, iter(w["signs"])))
        text(s)
        done[key] = s
    return done[key]


def check(certificate: Any) -> Any:
    """Return the statement that the certificate proves; raise Refused if it does not prove it."""
    left[0] = WORK
    try:
        return verified(certificate, {})
    except ERRORS as error:
        raise Refused(f"malformed certificate: {type(error).__name__} {error}") from error
    finally:
        left[0] = inf


def read(path: str) -> Any:
    """The certificate in a file: JSON without numbers and without a key that stands twice."""

    def once(pairs: Any) -> Any:
        need(len(dict(pairs)) == len(pairs), "a key stands twice")
        return dict(pairs)

    def number(text: str) -> None:
        raise Refused(f"the number {text[:20]} is not in quotes")

    with open(path, encoding="utf-8") as file:
        content = file.read(SIZE + 1)
    need(len(content) <= SIZE, "the file is too large")
    certificate = json.loads(
        content, object_pairs_hook=once, parse_int=number, parse_float=number, parse_constant=number
    )
    known = isinstance(certificate, dict) and certificate.get("format") == FORMAT
    need(known, f"its format is not {FORMAT}")
    return certificate


def main(arguments: list[str]) -> int:
    """Check one file; 0 if it holds, 1 if it is refused, 2 if it cannot be read."""

    def line(error: Exception) -> str:
        return " ".join(str(error).split()).encode("ascii", "backslashreplace").decode()[:300]

    if len(arguments) != 1:
        print("usage: python checker.py CERTIFICATE.json", file=sys.stderr)
        return 2
    try:
        certificate = read(arguments[0])
    except (OSError, Refused, *ERRORS) as error:
        print(f"{ascii(arguments[0])[1:-1]}: not a certificate: {line(error)}", file=sys.stderr)
        return 2
    try:
        print("VERIFIED: " + text(check(certificate)))
    except Refused as error:
        print(f"REFUSED: {line(error)}")
        return 1
    return 0


if __name__ == "__main__":
    with suppress(ImportError, ValueError):  # where the system can, it refuses more memory
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sys.exit(main(sys.argv[1:]))
