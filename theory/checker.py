"""The lone checker: re-verifies a certificate with the standard library alone.

Copy this file anywhere and run ``python checker.py FILE``.  It shares no code with whatever
found the certificate, prints in plain mathematics the statement it has verified, and exits 0;
it exits 1 when the proof does not hold and 2 when the file cannot be read as a certificate.

What makes the checks sufficient
--------------------------------
Sign.  An expression is >= 0 on a domain if, after each parameter is written in slacks that are
nonnegative exactly on the domain, numerator and denominator have nonnegative coefficients only,
perhaps times a power of 1 + the sum of the slacks (Pólya).  In one variable: if its value at one
point is positive and Sturm's sequences count no root on the interval that the facts leave.
Hitting times.  If h >= 0, h = 0 on the target and h = 1 + P h off it, then h(X_n) + n is a
martingale up to the hitting time, so the target is reached and h is the mean hitting time; with
h >= 1 + P h it is at least the mean, and with h <= 1 + P h, h <= 0 on the target, at most the mean.
Stationary law.  Detailed balance and total mass 1; unique because one state is reached from all.
Gap, from below (Barta).  If phi > 0 off one state, phi = 0 there and (I - P) phi >= g phi, then
every f satisfies E(f, f) >= g |f - f(pivot)|^2 >= g Var f, so the gap is at least g.
Gap, from above.  E(f, f) <= g Var f for one test function f.
Gap, by Fourier.  On Z_K x types with moves that depend on the shift only, the space splits into
the modes w = cos(2 pi j/K); functions that sum to zero inside a type have eigenvalue 0.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import accumulate, pairwise, permutations
from math import comb, gcd, inf
from typing import Any

FORMAT = "metastable-certificate/1"
BITS, LIMIT = 20, 1000  # bits for one exponent inside a packed monomial; largest total degree
HUGE, MANY = 1 << 2000, 200  # what a coefficient and the number of variables stay below
SIZE = 2 * 10**7  # most characters of a file
WORK = 2 * 10**7  # products of coefficients in one certificate, a minute or so
left = [inf]  # what remains of WORK while a certificate is checked
NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
LABEL = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
PLAIN = re.compile(r"[-\w+*/()<>=. ]*", re.ASCII)
RESERVED = re.compile(r"[jwxyz]|[uv]\d+")  # index, mode, eigenvalue, shifts, slacks, values
TOKENS = re.compile(r"(?:[A-Za-z_]\w*\b|\d+\b|[-+*/() ])+", re.ASCII)
RELATION = re.compile(r"([^<>=]+)(>=|<=|>|<)([^<>=]+)")


class Refused(Exception):
    """The certificate does not prove its statement."""


def need(condition: bool, reason: str) -> None:
    """Refuse the certificate unless the condition holds."""
    if not condition:
        raise Refused(reason)


def charge(work: int) -> None:
    """Refuse a certificate that asks for too much work."""
    left[0] -= work
    need(left[0] >= 0, "too much work")


def listed(value: Any) -> list[Any]:
    """The value, if it is a list (a string would pass for a list of letters)."""
    need(isinstance(value, list), f"not a list: {str(value)[:60]}")
    return list(value)


# ---------------------------------------------------------------- polynomials, integer coefficients
# A monomial is one integer: total degree in the lowest BITS bits, then one exponent after another.
Poly = dict[int, int]
names: list[str] = []


def variable(name: str) -> Poly:
    """The polynomial that is one variable."""
    if name not in names:
        need(len(names) < MANY, "too many variables")
        names.append(name)
    return {(1 << BITS * (1 + names.index(name))) + 1: 1}


def exponents(monomial: int) -> dict[int, int]:
    """Exponent by variable number."""
    found, v = {}, 0
    while monomial := monomial >> BITS:
        if monomial & ((1 << BITS) - 1):
            found[v] = monomial & ((1 << BITS) - 1)
        v += 1
    return found


def degree(p: Poly) -> int:
    """Total degree."""
    return max((m & ((1 << BITS) - 1) for m in p), default=0)


def add(p: Poly, q: Poly, factor: int = 1) -> Poly:
    """p + factor q."""
    out = dict(p)
    for m, c in q.items():
        out[m] = out.get(m, 0) + factor * c
    return {m: c for m, c in out.items() if c}


def mul(p: Poly, q: Poly) -> Poly:
    """p q; the bound on the degree keeps packed exponents apart."""
    charge(len(p) * len(q) + 1)
    need(len(p) * len(q) < 10**6 and degree(p) + degree(q) < LIMIT, "an expression is too large")
    out: Poly = {}
    for m, c in p.items():
        for n, e in q.items():
            out[m + n] = out.get(m + n, 0) + c * e
    need(all(-HUGE < c < HUGE for c in out.values()), "a number is too large")
    return {m: c for m, c in out.items() if c}


def power(p: Poly, n: int) -> Poly:
    """p to the n."""
    return reduce(mul, [p] * n, {0: 1})


class Q:
    """A rational function: numerator over a product of polynomial factors."""

    def __init__(self, num: Poly, den: dict[tuple[tuple[int, int], ...], int] | None = None):
        self.num, self.den = num, dict(den or {})

    def __add__(self, other: Q) -> Q:
        common = {
            f: max(self.den.get(f, 0), other.den.get(f, 0)) for f in {**self.den, **other.den}
        }
        return Q(add(self._over(common), other._over(common)), common)

    def _over(self, common: dict[Any, int]) -> Poly:
        out = self.num
        for f, e in common.items():
            out = mul(out, power(dict(f), e - self.den.get(f, 0)))
        return out

    def __neg__(self) -> Q:
        return Q({m: -c for m, c in self.num.items()}, self.den)

    def __sub__(self, other: Q) -> Q:
        return self + -other

    def __mul__(self, other: Q) -> Q:
        den = {f: self.den.get(f, 0) + other.den.get(f, 0) for f in {**self.den, **other.den}}
        num = self.num, other.num
        for f in list(den):  # cancel a factor that stands whole in one numerator
            for side in (0, 1):
                if den.get(f) and tuple(sorted(num[side].items())) == f:
                    num = ({0: 1}, num[1]) if side == 0 else (num[0], {0: 1})
                    den[f] -= 1
        return Q(mul(*num), {f: e for f, e in den.items() if e})

    def inverse(self) -> Q:
        """1 over it."""
        need(bool(self.num), "division by zero")
        content = reduce(gcd, self.num.values())
        factor = tuple(sorted((m, c // content) for m, c in self.num.items()))
        den = {} if factor == ((0, 1),) else {factor: 1}
        if content != 1:
            den[((0, content),)] = 1
        return Q(self.bottom(), den)

    def bottom(self) -> Poly:
        """The denominator, multiplied out."""
        return reduce(mul, [power(dict(f), e) for f, e in self.den.items()], {0: 1})

    def is_zero(self) -> bool:
        """Whether it is 0 identically."""
        return not self.num


ONE, ZERO = Q({0: 1}), Q({})


@lru_cache(maxsize=4096)
def tree(text: str) -> ast.expr:
    """The syntax tree of an expression; no comments, no other notations of numbers."""
    need(bool(TOKENS.fullmatch(text)), f"not an expression: {text[:60]!r}")
    try:
        return ast.parse(text.strip(" "), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"not an expression: {text[:60]}") from error


def parse(text: Any, env: dict[str, Q], divide: Callable[[Q], None] | None = None) -> Q:
    """Read an expression: + - * / **, integers and the names in env; divide sees every divisor."""
    need(isinstance(text, str) and len(text) < 20000, f"not an expression: {str(text)[:60]!r}")
    charge(len(text))

    def walk(node: ast.expr) -> Q:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            need(node.value < HUGE, "a number is too large")
            return Q({0: node.value} if node.value else {})
        if isinstance(node, ast.Name):
            need(node.id in env, f"unknown name {node.id}")
            return env[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -walk(node.operand)
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Pow):
                n = node.right.value if isinstance(node.right, ast.Constant) else None
                if type(n) is int and n <= 100:
                    return reduce(Q.__mul__, [walk(node.left)] * n, ONE)
                raise Refused(f"bad exponent in {text[:60]}")
            a, b = walk(node.left), walk(node.right)
            if isinstance(node.op, ast.Add):
                return a + b
            if isinstance(node.op, ast.Sub):
                return a - b
            if isinstance(node.op, ast.Mult):
                return a * b
            if isinstance(node.op, ast.Div):
                if divide:
                    divide(b)
                return a * b.inverse()
        raise Refused(f"not an expression: {text[:60]}")

    try:
        return walk(tree(text))
    except RecursionError as error:
        raise Refused(f"not an expression: {text[:60]}") from error


def index_of(name: str) -> int:
    """The number of a variable."""
    variable(name)
    return names.index(name)


def has(q: Q, name: str, denominator: bool = False) -> bool:
    """Whether a variable stands in the numerator (or in the denominator)."""
    v, polys = index_of(name), q.den if denominator else [q.num.items()]
    return any(v in exponents(m) for p in polys for m, _ in p)


def collect(q: Q, name: str) -> list[Q]:
    """The coefficients of q, a polynomial in one variable, lowest first."""
    need(not has(q, name, denominator=True), f"{name} divides")
    v, parts = index_of(name), dict[int, Poly]()
    for m, c in q.num.items():
        e = exponents(m).get(v, 0)
        rest = m - e * next(iter(variable(name)))
        parts[e] = add(parts.get(e, {}), {rest: c})
    return [Q(parts.get(e, {}), q.den) for e in range(max(parts, default=0) + 1)]


def power_sums(n: int, top: Q) -> list[Q]:
    """1^k + 2^k + ... + top^k for k = 0 .. n, as polynomials in top (Pascal); 0^0 counts in."""
    sums, power = list[Q](), ONE
    for k in range(n + 1):
        power = power * (top + ONE)
        rest = reduce(Q.__add__, (Q({0: comb(k + 1, i)}) * s for i, s in enumerate(sums)), ZERO)
        sums.append((power - rest) * Q({0: k + 1}).inverse())
    return sums


def substitute(p: Poly, values: dict[int, tuple[Poly, Poly]]) -> tuple[Poly, Poly]:
    """p at v = a/b for (a, b) = values[v], as numerator and denominator."""
    split = [(exponents(m), c) for m, c in p.items()]
    need(all(v in values for x, _ in split for v in x), "a chart leaves a parameter out")
    top = {v: max((x.get(v, 0) for x, _ in split), default=0) for v in values}
    image = dict[int, list[Poly]]()  # a^e b^(n - e) for e = 0 .. n
    for v, (a, b) in values.items():
        powers = [list(accumulate([p] * top[v], mul, initial={0: 1})) for p in (a, b)]
        image[v] = [mul(p, q) for p, q in zip(powers[0], reversed(powers[1]), strict=True)]
    num: Poly = {}
    for x, c in split:
        term = reduce(mul, [image[v][x.get(v, 0)] for v in values if top[v]], {0: c})
        num = add(num, term)
    return num, reduce(mul, [image[v][0] for v in values], {0: 1})


# ---------------------------------------------------------------- domains and signs
class Domain:
    """Parameters with facts such as ``K >= 2`` or ``epsilon < 1``, and charts that cover them."""

    def __init__(self, data: Any, charts: Any):
        self.data, self.charts, self.used = data, charts, list[Any]()
        need(set(data) <= {"integers", "reals", "facts", "values"}, "unknown part of a domain")
        self.integers, self.reals = listed(data["integers"]), listed(data["reals"])
        known, self.values = [*self.integers, *self.reals], dict(data.get("values", {}))
        for name in known:
            fits = isinstance(name, str) and NAME.fullmatch(name) and not RESERVED.fullmatch(name)
            need(bool(fits), f"bad name of a parameter: {name!r}")
        need(len(set(known)) == len(known) and set(self.values) <= set(known), "bad parameters")
        need(len(known) <= 20 and len(listed(data["facts"])) <= 100, "too many parameters or facts")
        self.env = {name: Q(variable(name)) for name in known if name not in self.values}
        for name, value in self.values.items():
            self.env[name] = parse(value, self.env)
        self.facts = {f: self.fact(f) for f in data["facts"]}
        self.seen: dict[Any, bool] = {}
        self.checked: dict[int, Any] = {}

    def fact(self, text: Any, divide: Callable[[Q], None] | None = None) -> tuple[Q, bool]:
        """``a >= b`` as (a - b, False); ``a > b`` as (a - b, True)."""
        found = RELATION.fullmatch(text)
        if found is None:
            raise Refused(f"not a fact: {text[:60]!r}")
        a, b = (parse(side, self.env, divide) for side in found.group(1, 3))
        return (a - b if found[2][0] == ">" else b - a), len(found[2]) == 1

    def within(self, lo: Q, hi: Q) -> Domain:
        """The same domain with an index j from lo to hi; j is eliminated when they agree."""
        if (hi - lo).is_zero():
            child = self.joined("j", {})
            child.env["j"] = lo
            return child
        j = Q(variable("j"))
        return self.joined("j", {"j >= lo": j - lo, "j <= hi": hi - j})

    def joined(self, name: str, facts: dict[str, Q]) -> Domain:
        """The same domain with one more variable, and what is >= 0."""
        child = Domain(self.data, self.charts)
        child.used, child.env[name] = self.used, Q(variable(name))
        child.facts |= {fact: (q, False) for fact, q in facts.items()}
        return child

    def chart(self, chart: Any) -> tuple[dict[int, tuple[Poly, Poly]], set[int], Poly] | None:
        """A chart whose slacks cover this domain: its substitution, the strict ones, a factor."""
        slack, strict, sub = {}, set[int](), {}
        for u, (top, bottom) in chart["slack"].items():
            if top not in self.facts or (bottom and bottom not in self.facts):
                return None
            need(bool(re.fullmatch(r"u\d+", u, re.ASCII)), "bad name of a slack")
            value, positive = self.facts[top]
            if bottom:
                need(self.facts[bottom][1], "a slack divides by a fact that is not strict")
                value = value * self.facts[bottom][0].inverse()
            slack[u] = value
            if positive:
                strict.add(index_of(u))
        env = {u: Q(variable(u)) for u in slack}
        back = {names.index(u): (value.num, value.bottom()) for u, value in slack.items()}
        for name, value in self.env.items():
            if value.num == variable(name) and not value.den:
                if name not in chart["map"]:
                    return None
                image = parse(chart["map"][name], env)
                top, bottom = (substitute(p, back) for p in (image.num, image.bottom()))
                returned = Q(mul(top[0], bottom[1])) * Q(mul(top[1], bottom[0])).inverse()
                if not (returned - value).is_zero() or not positive_sum(image.bottom(), strict):
                    return None
                sub[names.index(name)] = (image.num, image.bottom())
        raised = chart.get("raise", "0")
        need(raised in tuple("0123456789"), "not a power of one digit")
        return sub, strict, power(reduce(add, map(variable, slack), {0: 1}), int(raised))

    def sign(self, q: Q, strict: bool = False) -> bool:
        """Whether q >= 0 (or > 0) is shown on the whole domain, denominators nonzero."""
        key = (tuple(sorted(q.num.items())), tuple(sorted(q.den.items())), strict)
        if key not in self.seen:
            self.seen[key] = self._sign(q, strict) or self.by_sturm(q, strict)
        return self.seen[key]

    def _sign(self, q: Q, strict: bool) -> bool:
        charts = self.charts(self) if callable(self.charts) else self.charts
        for number, data in enumerate(charts):
            charge(1 + len(self.used))
            if number not in self.checked:
                self.checked[number] = self.chart(data)
            if self.checked[number] is None:
                continue

            def side(p: Poly, certain: bool, chart: Any = self.checked[number]) -> int:
                """+1 or -1 if p has that sign throughout, 0 if unknown; p = 0 counts as +1."""
                image = mul(substitute(p, chart[0])[0], chart[2])
                sign = 1 if all(c > 0 for c in image.values()) else -1
                image = {m: sign * c for m, c in image.items()}
                fits = all(c > 0 for c in image.values())
                return sign if fits and (not certain or positive_sum(image, chart[1])) else 0

            total = side(q.num, strict)
            for f, e in q.den.items():
                total *= side(dict(f), True) ** e
            if total == 1 or (total and not q.num and not strict):
                if data not in self.used:
                    self.used.append(data)
                return True
        return False

    def by_sturm(self, q: Q, strict: bool) -> bool:
        """Whether q, in one variable, is > 0 where the facts about that one alone leave it."""
        factors = [dict(f) for f, e in q.den.items() for _ in range(e)]
        found = {v for p in (q.num, *factors) for m in p for v in exponents(m)}
        if len(found) != 1 or not q.num or max(map(degree, (q.num, *factors))) > 60:
            return False
        low, high, sign = (-inf, True), (inf, False), 1  # an open end is the tighter one
        for fact, left_out in self.facts.values():
            constant = all(m == 0 and c > 0 for f in fact.den for m, c in f)
            if constant and {v for m in fact.num for v in exponents(m)} == found:
                line = coefficients(fact.num)
                end: Any = -line[0] / line[1] if line[1] else inf
                if len(line) == 2 and line[1] > 0:
                    low = max(low, (end, left_out))
                elif len(line) == 2:
                    high = min(high, (end, not left_out))
        ends = [low[0]] * (not low[1]) + [high[0]] * high[1]
        for p in (q.num, *factors):
            line = coefficients(p)
            charge(len(line) ** 3)
            if not low[0] < high[0] or roots(line, low[0], high[0]):
                return False
            if (strict or p is not q.num) and not all(horner(line, end) for end in ends):
                return False
            middle = horner(line, between(low[0], high[0]))
            sign *= 1 if middle > 0 else -1 if middle < 0 else 0
        return sign > 0

    def integral(self, q: Q) -> bool:
        """Whether q has integer values: a polynomial in the integers, with integer coefficients."""
        return not q.den and not any(has(q, name) for name in self.reals)

    def divides(self, q: Q) -> None:
        """Refuse a divisor that may vanish on the domain."""
        top = Q(q.num)
        need(self.sign(top, True) or self.sign(-top, True), "a denominator may vanish")

    def expression(self, text: Any, **more: Q) -> Q:
        """Read an expression that is defined on the whole domain."""
        return parse(text, {**self.env, **more}, self.divides)

    def index(self, text: Any, **more: Q) -> Q:
        """Read an expression with integer values."""
        q = self.expression(text, **more)
        need(self.integral(q), f"not an integer: {text}")
        return q

    def contains(self, other: dict[str, Any]) -> bool:
        """Whether every point of this domain lies in the other, by its facts."""
        known = all(set(other[k]) <= set(self.data[k]) for k in ("integers", "reals"))
        facts = (self.fact(f, self.divides) for f in other["facts"])
        same = {**self.values, **other.get("values", {})} == self.values
        return known and same and all(self.sign(*f) for f in facts)


def coefficients(p: Poly) -> list[Fraction]:
    """Those of a polynomial in one variable, lowest first."""
    by_degree = {m & ((1 << BITS) - 1): Fraction(c) for m, c in p.items()}
    return [by_degree.get(n, Fraction(0)) for n in range(max(by_degree, default=-1) + 1)]


def horner(line: list[Fraction], x: Any) -> Fraction:
    """A polynomial at x, or its sign far out."""
    if x in (inf, -inf):
        return line[-1] * (1 if x > 0 or len(line) % 2 else -1)
    return reduce(lambda value, c: value * x + c, reversed(line), Fraction(0))


def between(low: Any, high: Any) -> Any:
    """A number between two others."""
    if low == -inf:
        return Fraction(0) if high == inf else high - 1
    return low + 1 if high == inf else (low + high) / 2


def remainder(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    """What a division of polynomials leaves."""
    while len(a) >= len(b):
        factor, padded = a[-1] / b[-1], [Fraction(0)] * (len(a) - len(b)) + b
        a = [c - factor * d for c, d in zip(a, padded, strict=True)][:-1]
    while a and not a[-1]:
        a = a[:-1]
    return a


def roots(line: list[Fraction], low: Any, high: Any) -> bool:
    """Whether there may be roots strictly between, by Sturm's sequence."""
    chain = [line, [n * c for n, c in enumerate(line)][1:]]
    while chain[-1]:
        chain.append([-c for c in remainder(chain[-2], chain[-1])])
    chain.pop()

    def changes(x: Any) -> int:
        signs = [value > 0 for p in chain if (value := horner(p, x))]
        return sum(a != b for a, b in pairwise(signs))

    if not all(horner(chain[-1], x) for x in (low, high)):  # an end is a multiple root
        return True
    return changes(low) - changes(high) > (horner(line, high) == 0)


def positive_sum(p: Poly, strict: set[int]) -> bool:
    """Whether p > 0 where the variables are >= 0 and those in strict > 0: by its coefficients."""
    terms = any(all(v in strict for v in exponents(m)) for m in p)
    return terms and all(c > 0 for c in p.values())


# ---------------------------------------------------------------- chains given by generic rows
Move = tuple[str, "Q | None", Q, bool]


class Row:
    """One generic row: a class, and the index j in [lo, hi] if it has one."""

    def __init__(self, domain: Domain, data: Any, number: int):
        self.data, self.name, self.number = data, data["from"], number
        self.domain, self.indexed, self.empty = domain, data.get("index") is not None, False
        self.lo = self.hi = ZERO
        if self.indexed:
            self.lo, self.hi = (domain.index(s) for s in listed(data["index"]))
            self.domain = domain.within(self.lo, self.hi)
        self.j = self.domain.env.get("j")

    def value(self, text: Any, j: Q | None = None) -> Q:
        """An expression at an index, by default the row's own."""
        return self.domain.expression(text, **({"j": j} if j else {}))

    def total(self, q: Q) -> Q:
        """The sum of q over j from lo to hi, with q a polynomial in j."""
        if not self.indexed or self.j is self.lo:
            return q
        parts = collect(q, "j")
        ends = (power_sums(len(parts), end) for end in (self.hi, self.lo - ONE))
        return reduce(
            Q.__add__, (part * (b - a) for part, b, a in zip(parts, *ends, strict=False)), ZERO
        )

    def moves(self, domain: Domain | None = None, j: Q | None = None) -> list[Move]:
        """Target class, its index, probability, whether the move leaves the cluster."""
        here, more = domain or self.domain, {"j": j} if j else {}
        return [
            (
                to,
                None if at is None else here.index(at, **more),
                here.expression(p, **more),
                bool(tag),
            )
            for to, at, p, *tag in listed(self.data["to"])
        ]


class Chain:
    """Classes with sizes and index ranges, rows that cover them, probabilities that sum to 1."""

    def __init__(self, domain: Domain, data: Any, absorbing: Any = ()):
        self.domain, self.classes, self.rows = domain, data["classes"], list[Row]()
        need(all(bool(LABEL.fullmatch(name)) for name in self.classes), "bad name of a class")
        charge(len(self.classes) * len(data["rows"]))
        for number, row in enumerate(listed(data["rows"])):
            need(row["from"] in self.classes, f"unknown class {row['from']}")
            self.rows.append(Row(domain, row, number))
        self.count = len(self.rows)
        for name in self.classes:
            mine, span = [r for r in self.rows if r.name == name], self.span(name)
            if name in absorbing and not mine:
                continue
            need(
                all(r.indexed == (span is not None) for r in mine),
                f"wrong index in a row of {name}",
            )
            if span is None:
                need(len(mine) == 1, f"{name} needs exactly one row")
                continue
            reached = span[0]
            for row in mine:
                need((row.lo - reached).is_zero(), f"the rows of {name} do not join")
                need(domain.sign(row.hi - row.lo + ONE), f"the rows of {name} overlap")
                reached = row.hi + ONE
                row.empty = (reached - row.lo).is_zero()
            need((reached - span[1] - ONE).is_zero(), f"the rows of {name} do not cover it")
        self.rows = [row for row in self.rows if not row.empty]
        for row in self.rows:
            total = ZERO
            for to, at, p, _ in row.moves():
                self.inside(to, at, row.domain)
                need(row.domain.sign(p), f"a probability in the row of {row.name} may be negative")
                total = total + p
            need((total - ONE).is_zero(), f"the row of {row.name} does not sum to 1")

    def span(self, name: str) -> tuple[Q, Q] | None:
        """First and last index of a class."""
        index = self.classes[name].get("index")
        if index is None:
            return None
        first, last = listed(index)
        return self.domain.index(first), self.domain.index(last)

    def single(self, name: str) -> bool:
        """Whether a class is one state."""
        return bool(self.classes[name]["size"] == "1" and self.span(name) is None)

    def inside(self, name: str, at: Q | None, domain: Domain) -> None:
        """Require that the class has that index."""
        need(name in self.classes, f"unknown class {name}")
        span = self.span(name)
        need((span is None) == (at is None), f"a wrong index for {name}")
        if span and at:
            ok = domain.sign(at - span[0]) and domain.sign(span[1] - at)
            need(ok, f"an index leaves the range of {name}")


# ---------------------------------------------------------------- the kinds of statement
def residuals(chain: Chain, values: Any, target: list[str]) -> list[tuple[Row, Q, Q]]:
    """Per row off the target: the row, f there, and (I - P) f, for f = 0 on the target."""
    need(all(parse(values[t], {}).is_zero() for t in target), "the function is not 0 on the target")
    need(bool(target) and all(t in chain.classes for t in target), "unknown target")
    out = []
    for row in chain.rows:
        need(all(m[3:] in ([], ["sparse"]) for m in row.data["to"]), "an unknown tag")
        if row.name not in target:
            value = drift = row.value(values[row.name])
            for to, at, p, _ in row.moves():
                if not p.is_zero():
                    drift = drift - p * row.value(values[to], at)
            out.append((row, value, drift))
    return out


TIMES = ("mean-hitting-time", "second-moment", "return-time", "return-second-moment")
MOMENTS = {"H": "H >= 1", "R": "R >= 1", "H2": "H2 >= 1", "R2": "R2 >= 1"}
OF_WALK = re.compile(r"\b[HR]2?\b")


def tagged(chain: Any) -> bool:
    """Whether some moves take a step of a walk W on the clusters."""
    return any(move[3:] == ["W"] for row in chain["rows"] for move in row["to"])


def elsewhere(walk: Any, domain: Domain) -> None:
    """Require that W goes to one state from another; its moments are no parameters."""
    (state,) = listed(walk["target"])
    single = walk["chain"]["classes"][state] == {"size": "1", "index": None}
    need(set(walk) == {"chain", "target", "start"}, "not the parts of a walk")
    need(single and walk["start"][0] != state, "the walk does not lead to another cluster")
    need(not set(MOMENTS) & set(domain.env), "a moment of W is a parameter")


def time_of(s: Any, w: Any, premises: list[Any]) -> Domain:
    """Mean or second moment of a hitting or return time, or its generating function."""
    if "meta" in s:
        return with_walk(s, w, premises)
    if tagged(s["chain"]):
        need(not premises, "too many premises")
        return for_every_walk(s, w)
    if premises:
        need(premises[0]["kind"] == "aggregated-matrix", "a premise of the wrong kind")
        need(premises[0]["aggregated"] == s["chain"], "the chain is not the aggregated one")
        need(premises[0]["domain"] == s["domain"], "the premise has another domain")
    domain, kind = Domain(s["domain"], w["charts"]), s["kind"]
    chain, target = Chain(domain, s["chain"], listed(s["target"])), s["target"]
    functions = w.get("functions") or {"f": w["values"]}
    for row, value, drift in residuals(chain, functions["f"], target):
        need(row.domain.sign(value), f"the time from {row.name} may be negative")
        need((drift - ONE).is_zero(), f"the equation of {row.name} is not met")
    last = functions["f"]
    if "second" in kind:
        last = functions["m"]
        for row, _, drift in residuals(chain, last, target):
            f = row.value(functions["f"][row.name])
            need((drift - f - f + ONE).is_zero(), f"the second equation of {row.name} is not met")
    if kind == "generating-function":
        last, argument = functions["m"], domain.expression(s["s"])
        need(domain.sign(argument, True) and domain.sign(ONE - argument), "s is not in (0, 1]")
        need(
            all((parse(last[t], domain.env) - ONE).is_zero() for t in target), "not 1 on the target"
        )
        for row in (r for r in chain.rows if r.name not in target):
            mean = mean_of(row, last)
            need(
                (row.value(last[row.name]) - argument * mean).is_zero(),
                f"the equation of {row.name}",
            )
    if kind.startswith("return"):
        need(len(target) == 1 and chain.single(target[0]), "the target is not one state")
        (row,) = (r for r in chain.rows if r.name == target[0])
        f = mean_of(row, functions["f"])
        there = ONE + f + f + mean_of(row, last) if "second" in kind else ONE + f
    else:
        name, at = s["start"]
        index = None if at is None else domain.index(at)
        chain.inside(name, index, domain)
        there = domain.expression(last[name], **({"j": index} if index else {}))
    need((there - domain.expression(s["value"])).is_zero(), "the value at the start is another")
    return domain


def time_between(s: Any, w: Any, premises: list[Any]) -> Domain:
    """Bounds of a mean hitting time, by a supersolution and a subsolution."""
    need(not premises and not tagged(s["chain"]), "too many premises, or moves of a walk")
    domain = Domain(s["domain"], w["charts"])
    chain, target, (name, at) = Chain(domain, s["chain"]), listed(s["target"]), s["start"]
    need(bool(target) and all(t in chain.classes for t in target), "unknown target")
    index = None if at is None else domain.index(at)
    chain.inside(name, index, domain)
    for side, sign in (("upper", ONE), ("lower", -ONE)):
        values = w[side]
        for row in chain.rows:
            value, known = row.value(values[row.name]), row.domain.sign
            need(side == "lower" or known(value), f"the {side} function of {row.name}: its sign")
            if row.name in target:
                need(side == "upper" or known(-value), f"it is not <= 0 on {row.name}")
            else:
                drift = value - mean_of(row, values) - ONE
                need(known(sign * drift), f"the {side} inequality of {row.name} is not met")
        there = domain.expression(values[name], **({"j": index} if index else {}))
        need((there - domain.expression(s[side])).is_zero(), "the value at the start is another")
    need(domain.sign(domain.expression(s["lower"]), True), "the lower bound may not be positive")
    return domain


def mean_of(row: Row, values: Any) -> Q:
    """The mean of a function after one step."""
    parts = [p * row.value(values[to], at) for to, at, p, _ in row.moves() if not p.is_zero()]
    return reduce(Q.__add__, parts, ZERO)


def for_every_walk(s: Any, w: Any) -> Domain:
    """A time on clusters x types, where moves tagged W take the cluster one step of any chain W.

    H, R (H2, R2) are the first (second) moments of W's time to the target's cluster, and back.
    """
    domain, second = Domain(s["domain"], w["charts"]), s["kind"] == "second-moment"
    known = ["H", "R", "H2", "R2"][: 4 if second else 2]
    about = {f for f in (*domain.facts, *domain.values.values()) if OF_WALK.search(f)}
    fits = set(MOMENTS) & set(domain.reals) == set(known) and about == {MOMENTS[n] for n in known}
    need(fits and not set(MOMENTS) & {*domain.integers, *domain.values}, "H and R are moments of W")
    need(s["kind"] in TIMES[:2], "no such time")
    need(not OF_WALK.search(str(s["chain"])), "the rows depend on W")
    chain, (target,) = Chain(domain, s["chain"]), listed(s["target"])
    need(chain.single(target), "the target is not one state")
    one = {name: domain.env[name] for name in known}
    later = {n: {"H": one[n] - ONE} for n in ("H", "R")}
    if second:
        for n in ("H", "R"):
            later[n]["H2"] = one[n + "2"] - one[n] - one[n] + ONE
    zero = dict.fromkeys(("H", "H2") if second else ("H",), ZERO)

    def value(row: Row, f: str, name: str, at: Q | None, times: dict[str, Q]) -> Q:
        place = {"j": at} if at else {}
        return row.domain.expression(w["away"][f][name], **place, **times)

    for row in chain.rows:
        raw = row.data["to"]
        need(all(move[3:] in ([], ["W"]) for move in raw), "an unknown tag")
        for away in (True, False):
            here, mean = {}, {}
            for f in ("f", "m") if second else ("f",):
                inside, landing = w["functions"][f], ZERO
                here[f] = (
                    value(row, f, row.name, row.j, {}) if away else row.value(inside[row.name])
                )
                total = ZERO
                for (to, at, p, _), move in zip(row.moves(), raw, strict=True):
                    if move[3:] == ["W"]:
                        total = total + p * value(row, f, to, at, later["H" if away else "R"])
                        landing = landing + p * (
                            value(row, f, to, at, zero) - row.value(inside[to], at)
                        )
                    elif away:
                        total = total + p * value(row, f, to, at, {})
                    else:
                        total = total + p * row.value(inside[to], at)
                mean[f] = total
                need(landing.is_zero(), f"the functions do not meet where {row.name} leads")
                for name in ("H", "H2")[: 1 + second]:
                    need(not has(here[f], name) or away, "a function inside depends on H")
                    flat = [c for c in collect(here[f], name)[1:]]
                    need(
                        len(flat) <= 1 and not any(has(c, n) for c in flat for n in ("H", "H2")),
                        "not affine",
                    )
            if row.name == target and not away:
                need(all(v.is_zero() for v in here.values()), "the function is not 0 at the target")
                continue
            need(row.domain.sign(here["f"]), f"the time from {row.name} may be negative")
            need((here["f"] - mean["f"] - ONE).is_zero(), f"the equation of {row.name} is not met")
            if second:
                rest = here["m"] - mean["m"] - here["f"] - here["f"] + ONE
                need(rest.is_zero(), f"the second equation of {row.name} is not met")
    name, at = s["start"]
    index = None if at is None else domain.index(at)
    chain.inside(name, index, domain)
    there = domain.expression(
        w["away"]["m" if second else "f"][name], **({"j": index} if index else {})
    )
    need((there - domain.expression(s["value"])).is_zero(), "the value at the start is another")
    return domain


def with_walk(s: Any, w: Any, premises: list[Any]) -> Domain:
    """A time for one walk W, from what holds for every walk and from W's own times."""
    domain, (first, *own) = Domain(s["domain"], w["charts"]), premises
    mine = {k: v for k, v in s.items() if k not in ("domain", "value", "meta")}
    need(
        mine == {k: v for k, v in first.items() if k not in ("domain", "value")},
        "another statement",
    )
    need("meta" not in first and tagged(first["chain"]), "not a statement for every walk")
    elsewhere(s["meta"], domain)
    names = {
        "mean-hitting-time": "H",
        "return-time": "R",
        "second-moment": "H2",
        "return-second-moment": "R2",
    }
    chosen = {}
    for premise in own:
        name, walk = names[premise["kind"]], s["meta"]
        need("meta" not in premise and name not in chosen, "a premise of the wrong kind")
        same = all(premise[k] == walk[k] for k in ("chain", "target", "start") if k in premise)
        need(same and not tagged(premise["chain"]), "the premise speaks of another walk")
        chosen[name] = domain.expression(premise["value"])
        need(domain.contains(premise["domain"]), "the domain is larger than a premise's")
    wide = {**first["domain"], "reals": [n for n in first["domain"]["reals"] if n not in MOMENTS]}
    wide["facts"] = [f for f in wide["facts"] if f not in MOMENTS.values()]
    need(domain.contains(wide), "the domain is larger than a premise's")
    value = parse(first["value"], {**domain.env, **chosen}, domain.divides)
    need((value - domain.expression(s["value"])).is_zero(), "another value")
    return domain


def untagged(chain: Any) -> Any:
    """The rows of one cluster, in which moves tagged W stay."""
    return {**chain, "rows": [{**r, "to": [m[:3] for m in r["to"]]} for r in chain["rows"]]}


def at_gate(chain: Chain, data: Any, pivot: str) -> Q:
    """The probability of a move tagged W, which all lead from one state, the pivot, to it."""
    need(chain.single(pivot), "the pivot is not one state")
    out = ZERO
    for row in chain.rows:
        moves = zip(data["rows"][row.number]["to"], row.moves(), strict=True)
        for move, (to, _, p, _) in moves:
            if move[3:]:
                need(move[3:] == ["W"] and row.name == to == pivot, "W moves elsewhere")
                out = out + p
    return out


def rate_of(chain: Chain, data: Any, law: Any) -> Q:
    """The stationary probability that a step is a step of W."""
    mass, rate = masses(chain, law), ZERO
    for row in chain.rows:
        for move, (_, _, p, _) in zip(data["rows"][row.number]["to"], row.moves(), strict=True):
            if move[3:]:
                need(move[3:] == ["W"], "an unknown tag")
                rate = rate + row.total(mass(row) * p)
    return rate


def composed_law(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The product of W's law and that of one cluster, in which moves tagged W stay."""
    domain = Domain(s["domain"], w["charts"])
    need([p["kind"] for p in premises] == ["stationary"] * 2, "not two laws")
    inside, walk = premises
    tags = [m[3:] for r in s["chain"]["rows"] for m in r["to"]]
    need(all(tag in ([], ["W"]) for tag in tags) and ["W"] in tags, "no walk")
    need(inside["chain"] == untagged(s["chain"]) and inside["law"] == s["law"], "another law")
    need(walk["chain"] == s["meta"]["chain"] and walk["law"] == s["meta"]["law"], "another walk")
    need(
        all(domain.contains(p["domain"]) for p in premises), "the domain is larger than a premise's"
    )
    return domain


def composed_aggregated(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The mean hitting time of the clusters: W's own over the rate of its steps, sum of pi q."""
    domain, (law, walk) = Domain(s["domain"], w["charts"]), premises
    need((law["kind"], walk["kind"]) == ("stationary", "mean-hitting-time"), "other premises")
    need(law["chain"] == untagged(s["chain"]) and "meta" not in walk, "another chain")
    elsewhere(s["meta"], domain)
    need(all(walk[k] == v for k, v in s["meta"].items()), "another walk")
    need(
        all(domain.contains(p["domain"]) for p in premises), "the domain is larger than a premise's"
    )
    rate = rate_of(Chain(domain, s["chain"]), s["chain"], law["law"])
    need(domain.sign(rate, True), "the walk may never step")
    same = domain.expression(s["value"]) * rate - domain.expression(walk["value"])
    need(same.is_zero(), "another value")
    return domain


def composed_gap(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The gap of clusters joined at one state by a reversible walk W of gap gamma.

    E(f, f) >= kappa A^2 + e law(pivot) gamma B^2 with A = |f - f(., pivot)| and B = |f(., pivot) -
    mean|, and |f - mean| <= A + B; above by W's slow function, constant inside clusters.
    """
    domain = Domain(s["domain"], w["charts"])
    low, law, below, above = premises
    kinds = [p["kind"] for p in (low, law)]
    need(kinds == ["gap-lower", "stationary"] and "reversed" not in law, "premises of other kinds")
    walk_kinds = [(conclusion(p)["kind"], conclusion(p).get("side")) for p in (below, above)]
    below_kinds = ("gap-lower", None), ("even-gap", None), ("cyclic-gap", "lower")
    need(walk_kinds[0] in below_kinds, "no lower bound of W")
    need(walk_kinds[1] in (("gap-upper", None), ("cyclic-gap", "upper")), "no upper bound of W")
    need(which(below) == which(above) and s["meta"] == chains(below), "another walk")
    need(("even" in s) == (conclusion(below)["kind"] == "even-gap"), "another reading of the rows")
    sizes = conclusion(below).get("types", {}).values()
    need(all(size == "1" for size in sizes), "a cluster is one state of W")
    chain, pivot = Chain(domain, s["chain"]), s["pivot"]
    for p in (low, law):
        need(p["chain"] == untagged(s["chain"]), "the premises speak of other rows")
    need(low["pivot"] == pivot, "another pivot")
    for p in premises:
        need(domain.contains(p["domain"]), "the domain is larger than a premise's")
        need(not dropped(p) & set(domain.env), "a parameter of a premise has been chosen")
    (number,) = (row.number for row in chain.rows if row.name == pivot)
    weight = domain.expression(law["law"][number])
    flow = at_gate(chain, s["chain"], pivot) * weight
    kappa = domain.expression(low["value"])
    ends = [flow * domain.expression(conclusion(p)["value"]) for p in (below, above)]
    need(domain.sign(kappa, True) and domain.sign(ends[0], True), "a rate may vanish")
    lower, upper = domain.expression(s["lower"]), domain.expression(s["upper"])
    need(domain.sign(kappa * ends[0] - lower * (kappa + ends[0])), "the lower bound is not shown")
    need(domain.sign(upper - ends[1]), "the upper bound is not shown")
    need(domain.sign(lower, True), "the lower bound may not be positive")
    need(domain.sign(domain.expression(s["ratio"]) * lower - upper), "the bounds are further apart")
    return domain


def stationary(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The stationary law, by balance with the time-reversed rows; unique by a premise.

    Without ``reversed`` the chain is its own reversal.
    """
    same_chain(s, premises, "mean-hitting-time")
    need(not tagged(s["chain"]), "moves of a walk")
    domain = Domain(s["domain"], w["charts"])
    chain, total = Chain(domain, s["chain"]), ZERO
    back_rows = chain.rows
    if "reversed" in s:
        back_rows = Chain(domain, {**s["chain"], "rows": s["reversed"]}).rows
        ends = [
            [(r["from"], r["index"]) for r in rows] for rows in (s["reversed"], s["chain"]["rows"])
        ]
        need(ends[0] == ends[1], "the reversed rows serve other states")
    target, *more = premises[0]["target"]
    need(not more and chain.single(target), "the target is not one state")
    mass = masses(chain, s["law"])
    for row in chain.rows:
        size, each = (row.value(x) for x in (chain.classes[row.name]["size"], s["law"][row.number]))
        need(row.domain.sign(size), f"the size of {row.name} may be negative")
        need(row.domain.sign(each), "a stationary probability may be negative")
        total = total + row.total(mass(row))
        for to, at, _, _ in row.moves():
            charge(chain.count)
            for other in (r for r in back_rows if r.name == to):
                if at and (
                    row.domain.sign(other.lo - at, True) or row.domain.sign(at - other.hi, True)
                ):
                    continue  # the move never lands in this row's range
                back_moves = other.moves(row.domain, at)
                forth = mass(row) * flow(row.moves(), to, at, row.domain)
                back = mass(other, row.domain, at) * flow(back_moves, row.name, row.j, row.domain)
                need((forth - back).is_zero(), f"no balance between {row.name} and {to}")
    need((total - ONE).is_zero(), "the stationary masses do not sum to 1")
    return domain


def same_chain(s: Any, premises: list[Any], kind: str) -> None:
    """Require one premise, of that kind and about the same chain."""
    need(len(premises) == 1 and premises[0]["kind"] == kind, f"the premise is not one {kind}")
    same = premises[0]["chain"] == s["chain"] and premises[0]["domain"] == s["domain"]
    need(same, "the premise speaks of another chain")


def masses(chain: Chain, law: Any) -> Any:
    """Stationary mass of a class at an index: size times the probability of one state."""
    need(isinstance(law, list) and len(law) == chain.count, "the law needs one value a row")

    def mass(row: Row, domain: Domain | None = None, j: Q | None = None) -> Q:
        read, more = (domain or row.domain).expression, {"j": j} if j else {}
        return read(chain.classes[row.name]["size"], **more) * read(law[row.number], **more)

    return mass


def flow(moves: list[Move], name: str, at: Q | None, domain: Domain | None = None) -> Q:
    """Total probability of the moves to a place; with a domain, no other index may fall on it."""
    total = ZERO
    charge(len(moves))
    for to, i, p, _ in moves:
        if to == name and (i is at or (i and at and (i - at).is_zero())):
            total = total + p
        elif to == name and domain and i and at:
            apart = domain.sign(i - at, True) or domain.sign(at - i, True)
            need(apart, f"two moves to {name} may coincide")
    return total


def aggregated_matrix(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The matrix of the clusters, A_kl = sum over x in C_k of pi_k(x) P(x, C_l)."""
    same_chain(s, premises, "stationary")
    domain, label = Domain(s["domain"], w["charts"]), s["clusters"]
    chain, meta = Chain(domain, s["chain"]), Chain(domain, s["aggregated"])
    mass = masses(chain, premises[0]["law"])
    need(set(label) == set(chain.classes) and set(label.values()) == set(meta.classes), "clusters")
    for name in chain.classes:  # a cluster has the indices of its classes
        ends = [meta.span(label[name]) or (), chain.span(name) or ()]
        same_ends = len(ends[0]) == len(ends[1])
        same_ends = same_ends and all((a - b).is_zero() for a, b in zip(*ends, strict=True))
        need(same_ends, f"{name} and its cluster have other indices")
    for row in meta.rows:
        whole, leaving = ZERO, list[Move]()
        charge(len(chain.classes) * chain.count)
        for name in (n for n in chain.classes if label[n] == row.name):
            own = [
                r
                for r in chain.rows
                if r.name == name
                and (
                    row.j is None
                    or (row.domain.sign(row.lo - r.lo) and row.domain.sign(r.hi - row.hi))
                )
            ]
            need(len(own) == 1, f"no single row of {name} serves the cluster")
            whole = whole + mass(own[0], row.domain, row.j)
            for to, at, p, sparse in own[0].moves(row.domain, row.j):
                if sparse:
                    leaving.append((label[to], at, mass(own[0], row.domain, row.j) * p, True))
                else:
                    stays = at is row.j or (at and row.j and (at - row.j).is_zero())
                    need(label[to] == row.name and bool(stays), "a dense move leaves its cluster")
        need(row.domain.sign(whole, True), f"the cluster {row.name} may have no mass")
        for to, at, _, _ in [*row.moves(), *leaving]:
            if flow([(row.name, row.j, ONE, True)], to, at).is_zero():  # not the cluster itself
                same = whole * flow(row.moves(), to, at) - flow(leaving, to, at)
                need(same.is_zero(), f"the entry from {row.name} to {to} is another")
    return domain


def comparison(s: Any, w: Any, premises: list[Any]) -> Domain:
    """Inequalities between the values v0, v1, ... of the premises."""
    domain = Domain(s["domain"], w["charts"])
    need(s["where"] == [told(premise) for premise in premises], "the values are not the premises'")
    for number, premise in enumerate(premises):
        need(domain.contains(premise["domain"]), "the domain is larger than a premise's")
        if any(f"v{number}" in claim for claim in s["claims"]):
            domain.env[f"v{number}"] = domain.expression(conclusion(premise)["value"])
    for claim in listed(s["claims"]):
        need(domain.sign(*domain.fact(claim, domain.divides)), f"{claim} is not shown")
    return domain


def gap_lower(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The gap from below: a positive function that shrinks at a rate off one state."""
    domain = Domain(s["domain"], w["charts"])
    chain, gap, pivot = Chain(domain, s["chain"]), domain.expression(s["value"]), s["pivot"]
    need(chain.single(pivot), "the pivot is not one state")
    for row, value, drift in residuals(chain, w["values"], [pivot]):
        need(row.domain.sign(value, True), f"the function may vanish on {row.name}")
        need(row.domain.sign(drift - gap * value), f"the inequality of {row.name} is not met")
    return domain


def even_gap(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The gap from below where a move to a class is uniform on its states, or on the others.

    Functions that sum to 0 inside a class then have eigenvalues <= 0; the rest are those of rows.
    """
    same_chain(s, premises, "stationary")
    need("reversed" not in premises[0], "the chain is not reversible")
    domain = Domain(s["domain"], w["charts"])
    chain, gap = Chain(domain, s["chain"]), domain.expression(s["value"])
    names_ = [row.name for row in chain.rows]
    need(len(names_) <= 4 and not any(row.indexed for row in chain.rows), "too many classes")
    matrix = {(a, b): ZERO for a in names_ for b in names_}
    for row in chain.rows:
        for to, _, p, _ in row.moves():
            matrix[row.name, to] = matrix[row.name, to] + p
    rest, carry, x = list[Q](), ZERO, Q(variable("x"))
    for coefficient in reversed(characteristic(matrix, names_)):
        carry = carry + coefficient
        rest.insert(0, carry)
    need(rest.pop(0).is_zero(), "1 is not an eigenvalue")
    need(domain.sign(ONE - gap), "the modes inside a class may be nearer to 1")
    shifted = reduce(lambda value, a: value * (ONE - gap + x) + a, reversed(rest), ZERO)
    for coefficient in collect(shifted, "x"):
        need(domain.sign(coefficient), "an eigenvalue may be nearer to 1")
    return domain


def instance(s: Any, w: Any, premises: list[Any]) -> Domain:
    """A conclusion that does not mention some integers holds once such integers exist."""
    need([s["of"]] == premises, "not one premise")
    need(conclusion(s)["kind"] in ("gap-lower", "gap-upper"), "not about the gap")
    wide, domain = Domain(premises[0]["domain"], w["charts"]), Domain(s["domain"], w["charts"])
    need(domain.reals == wide.reals and not wide.values and not domain.values, "other parameters")
    name, *more = [n for n in wide.integers if n not in domain.integers]
    need(
        not more and [*domain.integers, name] == sorted(wide.integers, key=lambda n: n == name),
        "order",
    )
    need(not re.search(rf"\b{name}\b", conclusion(premises[0])["value"]), f"{name} is mentioned")
    low, high = list[Q](), list[Q]()
    for text, (q, strict) in wide.facts.items():
        slope = collect(q, name)
        if len(slope) == 1:
            need(text in domain.facts, f"{text} is left out")
            continue
        rises = domain.sign(slope[1], True)
        linear = len(slope) == 2 and (rises or domain.sign(-slope[1], True))
        need(linear and not strict, f"cannot choose {name}")
        (low if rises else high).append(-slope[0] * slope[1].inverse())
    for a in low:  # the least integer from a on is at most a + (n - 1)/n if n a is an integer
        parts = domain.integral(Q(a.num)) and degree(a.bottom()) == 0
        n = a.bottom()[0] if parts else 0
        for b in high:
            spare = Q({0: n - 1}) * Q({0: n}).inverse() if n else ONE
            spare = ZERO if domain.integral(b) else spare
            need(domain.sign(b - a - spare), f"there may be no {name}")
    return domain


def gap_upper(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The gap from above: one test function."""
    same_chain(s, premises, "stationary")
    need("reversed" not in premises[0], "the chain is not reversible")
    domain = Domain(s["domain"], w["charts"])
    chain, values = Chain(domain, s["chain"]), w["values"]
    mass, gap = masses(chain, premises[0]["law"]), domain.expression(s["value"])
    mean = square = energy = ZERO
    for row in chain.rows:
        f = row.value(values[row.name])
        mean, square = mean + row.total(mass(row) * f), square + row.total(mass(row) * f * f)
        for to, at, p, _ in row.moves():
            step = row.value(values[to], at) - f
            energy = energy + row.total(mass(row) * p * step * step)
    variance = square - mean * mean
    need(domain.sign(variance, True), "the test function may be constant")
    need(
        domain.sign(gap * variance * Q({0: 2}) - energy),
        "the test function shows a larger value only",
    )
    return domain


def cyclic_gap(s: Any, w: Any, premises: list[Any]) -> Domain:
    """Bounds for a chain on Z_K x types whose moves depend on the shift of the cluster only."""
    sides = {"lower": (), "upper": ("lower", "ratio"), "root": ("b", "c")}
    known = {*FIELDS["cyclic-gap"][0].split(), "kind", "domain", *sides[s["side"]]}
    need(set(s) <= known, "the statement says more")
    domain = Domain(s["domain"], w["charts"])
    need("K" in domain.integers and not domain.values, "no number of clusters")
    need(domain.sign(domain.expression("K - 2")), "K may be less than 2")
    cosine = Q(variable("c")) if "c" in domain.reals else None  # c stands for cos(2 pi/K)
    mentioned = sorted(f for f in domain.facts if re.search(r"\bc\b", f))
    need(not cosine or mentioned == ["c < 1", "c >= -1"], "c is cos(2 pi/K), no more, no less")
    mode = Q(variable("w"))  # w stands for cos(2 pi j/K), j = 1 .. K - 1
    modes = domain.joined("w", {"w >= -1": mode + ONE, "w <= c": (cosine or ONE) - mode})
    modes.reals = [*domain.reals, "w"]
    types, law = s["types"], w["law"]
    need(0 < len(types) <= 8, "no types, or too many")
    for name, size in types.items():
        need(bool(LABEL.fullmatch(name)), "bad name of a type")
        need(domain.sign(domain.index(size), True), f"there may be no state of type {name}")
    blocks = {}
    for zero in (True, False):
        here = domain if zero else modes
        more = {"z": ONE, "y": ONE} if zero else {"z": Q(variable("z")), "y": Q(variable("y"))}
        symbol = {"0": "1", "+1": "z", "-1": "y", "others": "1" if zero else "-1/(K-1)"}
        matrix = {(a, b): ZERO for a in types for b in types}
        for a, b, shift, p in s["moves"]:
            need(here.sign(here.expression(p)), "a probability may be negative")
            matrix[a, b] = matrix[a, b] + here.expression(p) * here.expression(
                symbol[shift], **more
            )
        blocks[zero] = [fold(q) for q in characteristic(matrix, list(types))]
        if zero:
            for a in types:
                total = reduce(Q.__add__, [matrix[a, b] for b in types])
                need((total - ONE).is_zero(), f"the row of {a} does not sum to 1")
    opposite = {"0": "0", "+1": "-1", "-1": "+1", "others": "others"}
    weight = {a: domain.expression(types[a]) * domain.expression(law[a]) for a in types}
    need(all(domain.sign(domain.expression(law[a]), True) for a in types), "the law may vanish")
    for a, b, shift, _ in s["moves"]:
        forth, back = (
            reduce(
                Q.__add__,
                [domain.expression(p) for x, y, t, p in s["moves"] if (x, y, t) == move],
                ZERO,
            )
            for move in ((a, b, shift), (b, a, opposite[shift]))
        )
        need((weight[a] * forth - weight[b] * back).is_zero(), f"no balance between {a} and {b}")
    rest, carry = list[Q](), ZERO  # the zero mode without its eigenvalue 1
    for coefficient in reversed(blocks[True]):
        carry = carry + coefficient
        rest.insert(0, carry)
    need(rest.pop(0).is_zero(), "1 is not an eigenvalue")

    def at(coefficients: list[Q], x: Q) -> Q:
        return reduce(lambda value, a: value * x + a, reversed(coefficients), ZERO)

    x = Q(variable("x"))
    if s["side"] == "root":
        b, c = domain.expression(s["b"]), domain.expression(s["c"])
        want = [c - b + ONE, b - Q({0: 2}), ONE]
        need(len(blocks[False]) == 3, "a root needs two types")
        need(
            all((p - q).is_zero() for p, q in zip(blocks[False], want, strict=True)),
            "another equation",
        )
        for g in (ONE, ONE + rest[0]):  # the other eigenvalues lie between the roots or beyond
            need(domain.sign(-(g * g - b * g + c)), "another eigenvalue may be nearer to 1")
        need(s["value"] == f"(({s['b']}) - sqrt(({s['b']})**2 - 4*({s['c']})))/2", "another root")
    else:
        gap = domain.expression(s["value"])
        if s["side"] == "lower":
            alone = all(size == "1" for size in types.values())
            need(alone or domain.sign(ONE - gap), "the eigenvalue 0 inside a type is nearer to 1")
            for here, block in ((domain, rest), (modes, blocks[False])):
                for coefficient in collect(at(block, ONE - gap + x), "x"):
                    need(here.sign(coefficient), "an eigenvalue may be nearer to 1")
        else:
            block = [substitute_q(q, "w", cosine) for q in blocks[False]]
            p, slope, curve = (
                at(block, ONE),
                at(derivative(block), ONE),
                at(derivative(derivative(block)), ONE),
            )
            # relaxation times t have sums S1 = p'/p and S2 = (p'^2 - p p'')/p^2, and max t >= S2/S1
            need(domain.sign(p, True), "the slowest mode may have no gap")
            square = slope * slope - p * curve
            need(domain.sign(gap * square - p * slope), "the bound is not shown")
            if "lower" in s:  # then upper/lower <= S1^2/S2 <= number of types, by Cauchy-Schwarz
                need(domain.sign(p * slope - gap * square), "the upper bound is not the sharp one")
                need(
                    domain.sign(domain.expression(s["lower"]) * slope - p), "the lower one is less"
                )
                need(s["ratio"] == str(len(types)), "the ratio is the number of types")
            else:
                need("ratio" not in s, "a ratio to nothing")
    return domain


def derivative(coefficients: list[Q]) -> list[Q]:
    """The derivative of a polynomial, by its coefficients."""
    return [Q({0: n}) * c for n, c in enumerate(coefficients)][1:]


def inner(s: Any) -> list[Any]:
    """The statements that a statement is made of."""
    found = {"cases": "parts", "instance": "of"}.get(s["kind"])
    return [] if not found else s[found] if found == "parts" else [s[found]]


def chains(s: Any) -> list[Any]:
    """The chains that the parts of a statement speak of."""
    found = [c for part in inner(s) for c in chains(part)] or [s.get("chain", s.get("moves"))]
    charge(len(found) ** 2)
    return [c for n, c in enumerate(found) if c not in found[:n]]


def which(s: Any) -> Any:
    """Which chain a statement speaks of, and in which case, where there are several."""
    found = [which(part) for part in inner(s)] or [s.get("chain", s.get("moves"))]
    if all(f == found[0] for f in found):
        return found[0]
    return {"fact": s.get("fact"), "by": s.get("by"), "parts": found}


def dropped(s: Any) -> set[str]:
    """The integers that instances have chosen."""
    free = {n for part in inner(s) for n in (*part["domain"]["integers"], *dropped(part))}
    return free - set(s["domain"]["integers"])


LOWER = ("gap-lower", "even-gap")


def spectral_gap(s: Any, w: Any, premises: list[Any]) -> Domain:
    """Lower bound, upper bound, their ratio and the exact value, of one chain."""
    domain = Domain(s["domain"], w["charts"])
    low, high, *exact = (conclusion(premise) for premise in premises)
    for premise in premises:
        need(domain.contains(premise["domain"]), "the domain is larger than a premise's")
        need(which(premise) == which(premises[0]), "the premises speak of other chains")
        need(not dropped(premise) & set(domain.env), "a parameter of a premise has been chosen")
    need(low["kind"] in LOWER or cyclic(low, "lower"), "no lower bound")
    need(high["kind"] == "gap-upper" or cyclic(high, "upper"), "no upper bound")
    need(s["chains"] == chains(premises[0]), "another chain")
    need(("even" in s) == (low["kind"] == "even-gap"), "another reading of the rows")
    need(s["lower"] == low["value"] and s["upper"] == high["value"], "other bounds")
    if high.get("lower") != s["lower"] or high["ratio"] != s["ratio"]:
        lower, upper = domain.expression(s["lower"]), domain.expression(s["upper"])
        need(domain.sign(lower, True), "the lower bound may not be positive")
        apart = domain.expression(s["ratio"]) * lower - upper
        need(domain.sign(apart), "the bounds are further apart")
    if "value" in s:
        roots = [x["value"] for x in exact if cyclic(x, "root")]
        need(s["value"] in roots or s["value"] == s["lower"] == s["upper"], "no exact value")
    return domain


def cyclic(s: Any, side: str) -> bool:
    """Whether a statement gives that side of the gap by Fourier."""
    return bool(s["kind"] == "cyclic-gap" and s["side"] == side)


def characteristic(matrix: dict[Any, Q], order: list[Any]) -> list[Q]:
    """Coefficients of det(x - matrix), lowest first (expansion by permutations)."""
    x, out = Q(variable("x")), ZERO
    for perm in permutations(range(len(order))):
        swaps = sum(perm[i] > perm[k] for k in range(len(perm)) for i in range(k))
        term = ONE if swaps % 2 == 0 else -ONE
        for i, k in enumerate(perm):
            term = term * ((x if i == k else ZERO) - matrix[order[i], order[k]])
        out = out + term
    return collect(out, "x")


def fold(q: Q) -> Q:
    """A Laurent polynomial in z and y = 1/z, symmetric under z <-> y, in w = (z + y)/2."""
    shifts = dict[int, Poly]()
    z, y = index_of("z"), index_of("y")
    for m, c in q.num.items():
        e = exponents(m)
        n, low = e.get(z, 0) - e.get(y, 0), (e.get(z, 0), e.get(y, 0))
        rest = m - low[0] * next(iter(variable("z"))) - low[1] * next(iter(variable("y")))
        shifts[n] = add(shifts.get(n, {}), {rest: c})
    out, w = Poly(), variable("w")
    previous, current = {0: 2}, {m: 2 * c for m, c in w.items()}
    for n in range(max(map(abs, shifts), default=0) + 1):
        need(shifts.get(n, {}) == shifts.get(-n, {}), "the modes are not symmetric")
        both = {0: 1} if n == 0 else current
        out = add(out, mul(shifts.get(n, {}), both))
        if n:
            previous, current = (
                current,
                add(mul({m: 2 * c for m, c in w.items()}, current), previous, -1),
            )
    return Q(out, q.den)


def substitute_q(q: Q, name: str, value: Q | None) -> Q:
    """q at a value of one variable."""
    if value is None:
        return q
    return reduce(lambda total, part: total * value + part, reversed(collect(q, name)), ZERO)


def cases(s: Any, w: Any, premises: list[Any]) -> Domain:
    """One statement by parts that cover its domain.

    ``fact``: an integer a >= 0 is a = 0, a = 1, ..., or a >= n; ``by``: a real is <= 0 or >= 0.
    """
    domain, last = Domain(s["domain"], w["charts"]), len(premises) - 1
    need(s["parts"] == premises and last >= 1, "the parts are not the premises")
    split = s.get("fact")
    others = [f for f in s["domain"]["facts"] if f != split]
    old = s["domain"].get("values", {})
    if split:
        need("by" not in s, "two ways to split")
        whole = domain.facts[split][0]
        need(domain.integral(whole), "the fact is not about integers")
    else:
        need(
            last == 1 and degree(parse(s["by"], domain.env).bottom()) == 0, "no split in two parts"
        )
    for n, part in enumerate(premises):
        data = part["domain"]
        same = all(data[k] == s["domain"][k] for k in ("integers", "reals"))
        need(same and all(f in data["facts"] for f in others), "a part has another domain")
        more, here = [f for f in data["facts"] if f not in others], Domain(data, w["charts"])
        if split and n < last:
            need(all(data["values"].get(k) == v for k, v in old.items()), "a part has other values")
            name, *further = set(data["values"]) - set(old)
            slope = collect(whole, name)  # a = n for one value only
            need(not more and not further and len(slope) == 2, "a part fixes more or less")
            need(degree(slope[1].num) == 0, f"{split} may hold for several {name}")
            need((here.fact(split)[0] - Q({0: n})).is_zero(), "a part fixes another value")
        else:
            need(
                len(more) == 1 and data.get("values", {}) == old, "a part has more facts or values"
            )
            bound, strict = here.fact(more[0])
            if split:
                gap = bound - whole + Q({0: n})
            else:
                gap = bound - parse(s["by"], here.env) * Q({0: (-1) ** n})
            need(gap.is_zero() and not strict, "the parts leave a gap")
        need(told(part) == told(premises[0]), "the parts conclude different things")
    return domain


# ---------------------------------------------------------------- further quantities of clusters
def capacity(s: Any, w: Any, premises: list[Any]) -> Domain:
    """1/(the commute time): where a symmetry exchanges start and target, twice the mean time."""
    domain, (time,) = Domain(s["domain"], w["charts"]), premises
    told_ = conclusion(time)
    need(s["of"] == time and told_["kind"] == "mean-hitting-time" and "meta" in told_, "no time")
    need(domain.contains(time["domain"]), "the domain is larger than a premise's")
    twice = domain.expression(told_["value"]) * Q({0: 2})
    need((twice * domain.expression(s["value"]) - ONE).is_zero(), "another value")
    return domain


def metastability_ratio(s: Any, w: Any, premises: list[Any]) -> Domain:
    """P_x(another pivot before x) over the least P_y(pivot before y), y not a pivot.

    f is the probability to reach the pivot before y, the state of the class ``home``.
    """
    domain, pivot, home = Domain(s["domain"], w["charts"]), s["pivot"], s["home"]
    need(len(premises) == 1 and premises[0]["kind"] == "mean-hitting-time", "other premises")
    inside, f = untagged(s["chain"]), w["functions"]["f"]
    same = premises[0]["chain"] == inside and premises[0]["target"] == [pivot]
    need(
        same and premises[0]["domain"] == s["domain"] and "meta" not in premises[0], "another chain"
    )
    chain = Chain(domain, s["chain"])
    leave = at_gate(chain, s["chain"], pivot)
    need(chain.single(home) and home != pivot, "the home is not one state, or the pivot")
    for row in chain.rows:
        here, mean = row.value(f[row.name]), mean_of(row, f)
        if row.name == pivot:
            need((here - ONE).is_zero(), "not 1 at the pivot")
        elif row.name == home:
            need(here.is_zero(), "not 0 at the home")
            need(row.domain.sign(mean, True), "the pivot may not be reached")
            need((domain.expression(s["value"]) * mean - leave).is_zero(), "another value")
        else:
            need((here - mean).is_zero(), f"the equation of {row.name} is not met")
    return domain


def stochastic_complement(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The chain watched on one cluster: moves tagged W, which all land alike, stay."""
    domain = Domain(s["domain"], w["charts"])
    need(not premises and s["complement"] == untagged(s["chain"]), "other rows")
    chain = Chain(domain, s["chain"])
    landing = list[list[tuple[str, Any, Q]]]()
    for row in chain.rows:
        moves = zip(s["chain"]["rows"][row.number]["to"], row.moves(), strict=True)
        out = [(m[0], m[1], p) for m, (_, _, p, _) in moves if m[3:] == ["W"]]
        need(not out or not row.indexed, "moves of the walk from several places")
        landing += [out] if out else []
    need(len(landing) == 1, "moves of the walk from several classes")
    return domain


def two_classes(domain: Domain, data: Any) -> tuple[Chain, str, str, dict[Any, Q], Q]:
    """A chain of two classes without index, uniform inside each; W moves stay at one state."""
    chain, matrix = Chain(domain, data), dict[Any, Q]()
    pivot, other = list(data["classes"])
    need(len(chain.rows) == 2 and not any(row.indexed for row in chain.rows), "not two classes")
    for row in chain.rows:
        moves = zip(data["rows"][row.number]["to"], row.moves(), strict=True)
        for move, (to, _, p, _) in moves:
            if not move[3:]:
                matrix[row.name, to] = matrix.get((row.name, to), ZERO) + p
    leave = at_gate(chain, data, pivot)
    zero = {(a, b): ZERO for a in (pivot, other) for b in (pivot, other)}
    return chain, pivot, other, {**zero, **matrix}, leave


def pseudo_gap(s: Any, w: Any, premises: list[Any]) -> Domain:
    """max gap((L*)^r L^r)/r for reversible L with eigenvalues 1, x and 0: 1 - x^2, at r = 1."""
    domain = Domain(s["domain"], w["charts"])
    need([p["kind"] for p in premises] == ["stationary"], "other premises")
    law = premises[0]
    need(law["chain"] == untagged(s["chain"]) and law["domain"] == s["domain"], "another chain")
    need("reversed" not in law, "the chain is not reversible")
    _, a, b, matrix, leave = two_classes(domain, s["chain"])
    x = matrix[a, a] + leave + matrix[b, b] - ONE
    need((domain.expression(s["value"]) - ONE + x * x).is_zero(), "another value")
    return domain


def composed_root(s: Any, w: Any, premises: list[Any]) -> Domain:
    """1 - x for the larger root x of the mode of an eigenvalue ``mode`` of W.

    The chain has, for each eigenvalue m of the reversible W, the two roots of its mode, which rise
    with m, and 0 from inside the classes; the larger root is at least a diagonal entry, so not
    negative.  At the second eigenvalue of W this is the gap if the
    smaller root of m = 1 is not larger, that is lies between the roots or below them.
    """
    domain = Domain(s["domain"], w["charts"])
    law, *walk = premises
    need(law["kind"] == "stationary" and "reversed" not in law, "no reversible law")
    need(law["chain"] == untagged(s["chain"]), "the premises speak of other rows")
    need(
        all(domain.contains(p["domain"]) for p in premises), "the domain is larger than a premise's"
    )
    _, a, b, matrix, leave = two_classes(domain, s["chain"])
    mode = domain.expression(s["mode"])

    def at(m: Q) -> tuple[Q, Q]:
        """Sum and product of the roots."""
        top = matrix[a, a] + leave * m
        return top + matrix[b, b], top * matrix[b, b] - matrix[a, b] * matrix[b, a]

    total, product = at(mode)
    two = Q({0: 2})
    for text, q in ((s["b"], two - total), (s["c"], ONE - total + product)):
        need((domain.expression(text) - q).is_zero(), "another equation")
    root = f"(({s['b']}) - sqrt(({s['b']})**2 - 4*({s['c']})))/2"
    need(s["value"] == root, "another root")
    if s["quantity"] == "eigenvalue":
        fits = not walk and s["mode"] in domain.reals and "meta" not in s
        about = {f for f in domain.facts if re.search(rf"\b{s['mode']}\b", f)}
        need(fits and about == {f"{s['mode']} >= -1", f"{s['mode']} < 1"}, "no eigenvalue of W")
        return domain
    need(s["quantity"] == "gap" and len(walk) == 1, "no gap")
    told_, smaller = conclusion(walk[0]), at(ONE)[1]
    exact = (told_["kind"] == "spectral-gap" and "value" in told_) or cyclic(told_, "root")
    of_walk = told_.get("chains") or chains(walk[0])
    need(exact and s["meta"] == of_walk, "no exact gap of this walk")
    need(not dropped(walk[0]) & set(domain.env), "a parameter of a premise has been chosen")
    need(("even" in s) == ("even" in told_), "another reading of the rows")
    need((domain.expression(told_["value"]) - ONE + mode).is_zero(), "not the gap of the walk")
    between = smaller * smaller - total * smaller + product
    need(domain.sign(-between), "another eigenvalue may be nearer to 1")
    return domain


def conductance(s: Any, w: Any, premises: list[Any]) -> Domain:
    """gap/2 <= conductance (Cheeger), and at most the flow out of one cluster over its mass."""
    domain, (gap, law) = Domain(s["domain"], w["charts"]), premises
    need((gap["kind"], law["kind"]) == ("composed-gap", "stationary"), "other premises")
    need("symmetrised" not in gap, "the chain is not reversible")
    same = (
        gap["chain"] == s["chain"] and gap["meta"] == s["meta"] and gap.get("even") == s.get("even")
    )
    need(same and law["chain"] == untagged(s["chain"]), "the premises speak of other rows")
    need(
        all(domain.contains(p["domain"]) for p in premises), "the domain is larger than a premise's"
    )
    rate = rate_of(Chain(domain, s["chain"]), s["chain"], law["law"])
    half = domain.expression(s["lower"]) * Q({0: 2}) - domain.expression(gap["lower"])
    need(half.is_zero(), "another lower bound")
    need((domain.expression(s["upper"]) - rate).is_zero(), "another upper bound")
    return domain


def kemeny(s: Any, w: Any, premises: list[Any]) -> Domain:
    """Kemeny's constant: the mean time to a target drawn from the stationary law.

    Every cluster is like every other, and every state of a cluster but its pivot like ``home``.
    From the pivot of a cluster the mean time to a state is affine in H and R (premises); the means
    of H and R over the target's cluster are ``walk``, W's own constant, and the number of clusters.
    """
    domain = Domain(s["domain"], w["charts"])
    gate, home, law, walk, walk_law = premises
    kinds = [p["kind"] for p in premises]
    need(
        kinds == ["mean-hitting-time"] * 2 + ["stationary", "kemeny-walk", "stationary"], "premises"
    )
    pivot = s["pivot"]
    for time, target in ((gate, pivot), (home, s["home"])):
        fits = time["chain"] == s["chain"] and time["target"] == [target] and "meta" not in time
        need(fits and time["start"] == [pivot, None], "a time of another chain, start or target")
    need(law["chain"] == untagged(s["chain"]) and pivot != s["home"], "the law of another chain")
    need({"chain": walk["chain"]} == {"chain": walk_law["chain"]} == s["meta"], "the walks differ")
    chain = Chain(domain, s["chain"])
    at_gate(chain, s["chain"], pivot)
    (number,) = (row.number for row in chain.rows if row.name == pivot)
    (of_walk,) = {value for value in walk_law["law"]}
    means = {"H": domain.expression(walk["value"]), "R": domain.expression(of_walk).inverse()}
    for p in (law, walk, walk_law):
        need(domain.contains(p["domain"]), "the domain is larger than a premise's")
    values = []
    for time in (gate, home):
        wide = {**time["domain"], "reals": [n for n in time["domain"]["reals"] if n not in MOMENTS]}
        wide["facts"] = [f for f in wide["facts"] if f not in MOMENTS.values()]
        need(domain.contains(wide), "the domain is larger than a premise's")
        symbols = {n: Q(variable(n)) for n in ("H", "R")}
        q = parse(time["value"], {**domain.env, **symbols})
        for n in symbols:
            need(len(collect(q, n)) <= 2, "a time is not affine")
        cross = [c for c in collect(q, "H")[1:] if has(c, "R")]
        need(not cross, "a time is not affine")
        values.append(parse(time["value"], {**domain.env, **means}, domain.divides))
    share = domain.expression(law["law"][number])
    total = share * values[0] + (ONE - share) * values[1]
    need((total - domain.expression(s["value"])).is_zero(), "another value")
    return domain


def kemeny_walk(s: Any, w: Any, premises: list[Any]) -> Domain:
    """The same for a walk whose clusters are all alike: from the law to one target."""
    domain, (time, law) = Domain(s["domain"], w["charts"]), premises
    kinds = time["kind"] == "mean-hitting-time" and law["kind"] == "stationary"
    need(
        kinds and time["chain"] == law["chain"] == s["chain"] and "meta" not in time,
        "another chain",
    )
    need(time["domain"] == law["domain"] == s["domain"], "another domain")
    need(len(set(law["law"])) == 1, "the law is not uniform")
    chain, values, total = Chain(domain, s["chain"]), w["values"], ZERO
    (target,) = time["target"]
    need(chain.single(target), "the target is not one state")
    mass = masses(chain, law["law"])
    for row, value, drift in residuals(chain, values, [target]):
        need((drift - ONE).is_zero(), f"the equation of {row.name} is not met")
        total = total + row.total(mass(row) * value)
    need((total - domain.expression(s["value"])).is_zero(), "another value")
    return domain


def expansion(s: Any, w: Any, premises: list[Any]) -> Domain:
    """A value as powers of a real r up to r^(n - 1), and what is left over r^n between bounds."""
    domain, (premise,) = Domain(s["domain"], w["charts"]), premises
    need(s["of"] == premise and domain.contains(premise["domain"]), "another statement")
    name = s["variable"]
    need(name in domain.reals and domain.sign(domain.env[name], True), "not a positive real")
    r, rest = domain.env[name], domain.expression(conclusion(premise)["value"])
    first = int(s["first"])
    need(-9 <= first <= 9 and 0 < len(listed(s["terms"])) < 20, "too many terms")

    def power_of(n: int) -> Q:
        up = reduce(Q.__mul__, [r] * abs(n), ONE)
        return up if n >= 0 else up.inverse()

    for n, text in enumerate(s["terms"]):
        term = domain.expression(text)
        need(not has(term, name) and not has(term, name, True), f"a coefficient contains {name}")
        rest = rest - term * power_of(first + n)
    scale = power_of(first + len(s["terms"]))
    low, high = (domain.expression(s[side]) for side in ("lower", "upper"))
    for bound in (low, high):
        free = not has(bound, name) and not has(bound, name, True)
        need(free, f"a bound contains {name}")
    need(domain.sign(rest - low * scale), "the remainder may be less")
    need(domain.sign(high * scale - rest), "the remainder may be more")
    return domain


# ---------------------------------------------------------------- statements in words
def conclusion(s: Any) -> Any:
    """What a statement by cases, or of an instance, comes down to."""
    parts = inner(s)
    return conclusion(parts[0]) if parts else s


def told(s: Any) -> Any:
    """What a statement concludes, without the chain it speaks of."""
    hidden = ("domain", "chain", "aggregated", "clusters", "law", "meta")
    return {k: v for k, v in conclusion(s).items() if k not in hidden}


def place(name: str, at: str | None) -> str:
    """``bulk`` or ``bulk[j + 1]``."""
    return name if at is None else f"{name}[{at}]"


def listing(chain: Any, law: Any = None) -> str:
    """Rows in words."""
    lines = []
    for number, row in enumerate(chain["rows"]):
        span = row.get("index")
        head = f"{row['from']}[j] for j = {span[0]} .. {span[1]}" if span else row["from"]
        moves = "; ".join(
            f"{place(to, at)}{' (W)' * (tag == ['W'])} with {p}" for to, at, p, *tag in row["to"]
        )
        size = chain["classes"][row["from"]].get("size")
        extra = f" (each of {size}: {law[number]})" if law else f" (size {size})" if size else ""
        lines.append(f"    {head}{extra} -> {moves}")
    return "\n".join(lines)


def rows_text(chain: Any) -> str:
    """Rows, or moves on Z_K x types, in words."""
    if isinstance(chain, dict):
        return listing(chain)
    return "\n".join(f"    {a} -> {b}, cluster {shift}, with {p}" for a, b, shift, p in chain)


def joined(s: Any) -> str:
    """The rows of a cluster and of the walk that joins the clusters."""
    walk = s["meta"] if isinstance(s["meta"], list) else [s["meta"]["chain"]]
    even = "\n  each move to a class of clusters uniform, or on the others" if "even" in s else ""
    rows = listing(s["chain"]) + "\n  joined by the walk W on the rows\n"
    return rows + "\n".join(map(rows_text, walk)) + even


UNIFORM = ", each move to a class uniform on its states,"
FURTHER: dict[str, Callable[[Any], str]] = {
    "capacity": lambda s: (
        f"if a symmetry exchanges start and target, the capacity between them is {s['value']}"
        f" and the effective resistance its inverse, for reversible W, where {sentence(s['of'])}"
    ),
    "metastability-ratio": lambda s: (
        f"with x the states {s['pivot']} and a walk W that never stays, P_x(another x before x "
        f"again) over P_y(some x before y again) is {s['value']} for y = {s['home']}, on the rows\n"
        + listing(s["chain"])
    ),
    "stochastic-complement": lambda s: (
        "the chain watched on one cluster of the rows\n"
        + listing(s["chain"])
        + "\n  has the rows\n"
        + listing(s["complement"])
    ),
    "pseudo-gap": lambda s: (
        f"the chain watched on one cluster{UNIFORM} has pseudo-spectral gap {s['value']}, on the "
        "rows\n" + listing(s["chain"])
    ),
    "composed-root": lambda s: (
        f"for clusters{UNIFORM} and reversible W, "
        + (
            f"an eigenvalue {s['mode']} of W gives the eigenvalue 1 - {s['value']}, on the rows\n"
            + listing(s["chain"])
            if s["quantity"] == "eigenvalue"
            else f"the spectral gap is {s['value']}, on the rows\n{joined(s)}"
        )
    ),
    "conductance": lambda s: (
        f"the conductance lies between {s['lower']} and {s['upper']}, for reversible clusters and "
        f"W, two clusters at least, on the rows\n{joined(s)}"
    ),
    "kemeny": lambda s: (
        f"if all clusters are alike, and all states of a cluster but {s['pivot']} like "
        f"{s['home']}, Kemeny's constant is {s['value']}, on the rows\n{joined(s)}"
    ),
    "kemeny-walk": lambda s: (
        f"if all states are alike, Kemeny's constant is {s['value']}, on the rows\n"
        + listing(s["chain"])
    ),
    "expansion": lambda s: (
        "the value is "
        + " + ".join(
            f"({t})*{s['variable']}**({int(s['first']) + n})" for n, t in enumerate(s["terms"])
        )
        + f" + r*{s['variable']}**({int(s['first']) + len(s['terms'])}) with {s['lower']} <= r <= "
        f"{s['upper']}, where {sentence(s['of'])}"
    ),
}


def cosine(s: Any) -> str:
    """What c stands for."""
    return " with c = cos(2*pi/K)" if "c" in s["domain"]["reals"] else ""


def sentence(s: Any) -> str:
    """A statement in words, without its domain."""
    kind = s["kind"]
    if kind == "cases":
        return "".join(f"\n- {text(part)}" for part in s["parts"])
    if kind == "instance":
        return f"there is an integer to which the following applies.\n- {text(s['of'])}"
    if kind in (*TIMES, "generating-function"):
        said = {
            "mean-hitting-time": "the mean time",
            "second-moment": "the second moment of the time",
            "return-time": "the mean time to return",
            "return-second-moment": "the second moment of the time to return",
            "generating-function": "the mean of s^time, s = {s}, for the time",
        }[kind].format(s=s.get("s"))
        said += " to hit " if "start" in s else " to "
        said += ", ".join(s["target"]) + (" from " + place(*s["start"]) if "start" in s else "")
        said += f" is {s['value']}"
        if tagged(s["chain"]):
            walk = "any irreducible walk W on finitely many clusters, H, R (H2, R2) the first "
            walk += "(second) moments of its time to the target's cluster, and back to it"
            if "meta" in s:
                meta = s["meta"]
                walk = (
                    f"the walk W to {meta['target'][0]} from {place(*meta['start'])} on the rows\n"
                )
                walk += listing(meta["chain"])
            said += f", in another cluster; a move tagged W takes the cluster a step of {walk}"
    elif kind == "hitting-time-between":
        said = f"the mean time to hit {', '.join(s['target'])} from {place(*s['start'])} lies "
        said += f"between {s['lower']} and {s['upper']}"
    elif kind == "composed-law":
        return (
            "the product of these laws is stationary on clusters x types:\n"
            + listing(s["chain"], s["law"])
            + "\n  and, for the walk W on the clusters,\n"
            + listing(s["meta"]["chain"], s["meta"]["law"])
        )
    elif kind in FURTHER:
        return FURTHER[kind](s)
    elif kind == "composed-aggregated":
        return (
            f"the mean hitting time of the chain of the clusters is {s['value']}, for clusters "
            f"with the rows\n{listing(s['chain'])}\n  joined by the walk W to "
            f"{s['meta']['target'][0]} from {place(*s['meta']['start'])} on the rows\n"
            f"{listing(s['meta']['chain'])}"
        )
    elif kind == "composed-gap":
        return (
            f"the spectral gap lies between {s['lower']} and {s['upper']}, which differ by at most "
            f"a factor {s['ratio']}{cosine(s)}, for every reversible chain of clusters that "
            "lump to the rows, at any value of what is not named,\n"
            + listing(s["chain"])
            + "\n  joined at their gates by the walk W on "
            + ("Z_K x types, with moves\n" if isinstance(s["meta"][0], list) else "the rows\n")
            + "\n".join(map(rows_text, s["meta"]))
            + "\n  each move to a class of clusters uniform, or on the others" * ("even" in s)
            + "\n  (P and W here stand for (P + P*)/2 and (W + W*)/2)" * ("symmetrised" in s)
        )
    elif kind == "stationary":
        said = "has" if "reversed" in s else "is reversible with"
        law = listing(s["chain"], s["law"])
        return f"the chain of these classes {said} one stationary law:\n{law}"
    elif kind == "aggregated-matrix":
        return (
            "the clusters of the chain\n" + listing(s["chain"]) + f"\n  ({s['clusters']})\n"
            "  have the aggregated matrix\n" + listing(s["aggregated"])
        )
    elif kind == "comparison":
        values = [f"\n  v{n} = {v['value']} ({v['kind']})" for n, v in enumerate(s["where"])]
        return " and ".join(s["claims"]) + (" for" + "".join(values) if values else "")
    elif kind == "spectral-gap":
        exact = f" and equals {s['value']}" if "value" in s else ""
        which = "every reversible chain that lumps to these rows, at any value of what is not named"
        if "even" in s:
            which += ", each move to a class uniform on its states or on the others of them"
        if isinstance(s["chains"][0], list):
            which = "the chain on Z_K x types, uniform in each type, with moves"
        return (
            f"the spectral gap lies between {s['lower']} and {s['upper']}, which differ by at most "
            f"a factor {s['ratio']}{exact}{cosine(s)}, for {which}\n"
            + "\n".join(map(rows_text, s["chains"]))
        )
    elif kind == "cyclic-gap":
        relation = {"lower": ">=", "upper": "<=", "root": "="}[s["side"]]
        return (
            f"the spectral gap is {relation} {s['value']}{cosine(s)}, for the chain on Z_K x "
            f"states of types {s['types']}, uniform in each type, with moves\n"
            + rows_text(s["moves"])
        )
    else:
        relation = {"gap-lower": ">=", "gap-upper": "<=", "even-gap": ">="}[kind]
        said = "every reversible chain that lumps to these rows"
        if kind == "even-gap":
            said += ", each move to a class uniform on its states or on the others of them,"
        said += f" has spectral gap {relation} {s['value']}"
    return said + ", on the rows\n" + listing(s["chain"])


def text(s: Any) -> str:
    """A statement in words."""
    domain = s["domain"]
    given = [f"{k} = {v}" for k, v in domain.get("values", {}).items()] + domain["facts"]
    sorts = [f"{k} {', '.join(domain[k])}" for k in ("integers", "reals") if domain[k]]
    return f"For all {' and '.join(sorts)} with {', '.join(given)}: {sentence(s)}"


KINDS = {
    **dict.fromkeys((*TIMES, "generating-function"), time_of),
    "hitting-time-between": time_between,
    "composed-law": composed_law,
    "composed-aggregated": composed_aggregated,
    "composed-gap": composed_gap,
    "stationary": stationary,
    "aggregated-matrix": aggregated_matrix,
    "comparison": comparison,
    "gap-lower": gap_lower,
    "gap-upper": gap_upper,
    "even-gap": even_gap,
    "capacity": capacity,
    "metastability-ratio": metastability_ratio,
    "stochastic-complement": stochastic_complement,
    "pseudo-gap": pseudo_gap,
    "composed-root": composed_root,
    "conductance": conductance,
    "kemeny": kemeny,
    "kemeny-walk": kemeny_walk,
    "expansion": expansion,
    "cyclic-gap": cyclic_gap,
    "instance": instance,
    "spectral-gap": spectral_gap,
    "cases": cases,
}


FIELDS = {  # beside kind and domain: what a statement must say, and what it may
    **dict.fromkeys(TIMES[:2], ("chain target start value", "meta")),
    **dict.fromkeys(TIMES[2:], ("chain target value", "")),
    "generating-function": ("chain target start s value", ""),
    "hitting-time-between": ("chain target start lower upper", ""),
    "composed-law": ("chain law meta", ""),
    "composed-aggregated": ("chain meta value", ""),
    "composed-gap": ("chain pivot lower upper ratio meta", "even symmetrised"),
    "stationary": ("chain law", "reversed"),
    "aggregated-matrix": ("chain clusters aggregated", ""),
    "comparison": ("claims where", ""),
    "gap-lower": ("chain pivot value", ""),
    "gap-upper": ("chain value", ""),
    "even-gap": ("chain value", ""),
    "capacity": ("of value", ""),
    "metastability-ratio": ("chain pivot home value", ""),
    "stochastic-complement": ("chain complement", ""),
    "pseudo-gap": ("chain value", ""),
    "composed-root": ("chain mode b c value quantity", "meta even"),
    "conductance": ("chain meta lower upper", "even"),
    "kemeny": ("chain pivot home meta value", ""),
    "kemeny-walk": ("chain value", ""),
    "expansion": ("of variable first terms lower upper", ""),
    "cyclic-gap": ("types moves side value", "lower ratio b c"),
    "instance": ("of", ""),
    "spectral-gap": ("lower upper chains ratio", "value even"),
    "cases": ("parts", "fact by"),
}


def plain(value: Any) -> None:
    """Refuse text that could be taken for more than one phrase when it is printed."""
    if isinstance(value, dict):
        plain([*value, *value.values()])
    elif isinstance(value, list):
        for part in value:
            plain(part)
    else:
        need(value is None or bool(PLAIN.fullmatch(value)), f"not plain text: {value!r}")


def verified(certificate: Any) -> Any:
    """The statement of a certificate, once it and its premises hold."""
    need(certificate["format"] == FORMAT, "not a certificate of this format")
    premises = [verified(premise) for premise in listed(certificate.get("premises", []))]
    statement, witness = certificate["statement"], certificate["witness"]
    kind = statement["kind"]
    need(kind in KINDS, f"unknown kind {kind!r}")
    must, may = ({"kind", "domain", *fields.split()} for fields in FIELDS[kind])
    need(must <= set(statement) <= must | may, f"not the parts of a statement of kind {kind}")
    plain(statement)
    if "vacuous" in witness:  # the facts contradict each other: nothing to show
        domain = Domain(statement["domain"], witness["charts"])
        fact = domain.facts[witness["vacuous"]][0]
        need(not inner(statement) and domain.sign(-fact, True), "the domain is not empty")
    else:
        KINDS[kind](statement, witness, premises)
    text(statement)
    return statement


def check(certificate: Any) -> Any:
    """Return the statement that the certificate proves; raise Refused if it does not prove it."""
    left[0] = WORK
    try:
        return verified(certificate)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Refused(f"malformed certificate: {type(error).__name__} {error}") from error
    finally:
        left[0] = inf


def read(path: str) -> Any:
    """The certificate in a file: JSON without numbers and without a key that stands twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def number(text: str) -> None:
        raise ValueError(f"the number {text[:20]} is not in quotes")

    with open(path, encoding="utf-8") as file:
        content = file.read(SIZE + 1)
    if len(content) > SIZE:
        raise ValueError("the file is too large")
    certificate = json.loads(
        content, object_pairs_hook=once, parse_int=number, parse_float=number, parse_constant=number
    )
    if not isinstance(certificate, dict) or certificate.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
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
    except (OSError, ValueError, RecursionError) as error:
        print(f"{ascii(arguments[0])[1:-1]}: not a certificate: {line(error)}", file=sys.stderr)
        return 2
    try:
        print("VERIFIED: " + text(check(certificate)))
    except Refused as error:
        print(f"REFUSED: {line(error)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
