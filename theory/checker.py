"""The lone checker: re-verifies a certificate with the standard library alone.

Copy this file anywhere and run ``python checker.py FILE``.  It shares no code with whatever
found the certificate, prints in plain mathematics the statement it has verified, and exits 0;
it exits 1 when the proof does not hold and 2 when the file cannot be read as a certificate.

What makes the checks sufficient
--------------------------------
Sign.  An expression is >= 0 on a domain if, after each parameter is written in slacks that are
nonnegative exactly on the domain, numerator and denominator have nonnegative coefficients only.
Hitting times.  If h >= 0, h = 0 on the target and h = 1 + P h off it, then h(X_n) + n is a
martingale up to the hitting time, so the target is reached and h is the mean hitting time.
Stationary law.  Detailed balance and total mass 1; unique because one class is reached from all.
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
from functools import reduce
from itertools import permutations
from math import comb, gcd
from typing import Any

FORMAT = "metastable-certificate/1"
BITS, LIMIT = 20, 5000  # bits for one exponent inside a packed monomial; largest total degree


class Refused(Exception):
    """The certificate does not prove its statement."""


def need(condition: bool, reason: str) -> None:
    if not condition:
        raise Refused(reason)


# ---------------------------------------------------------------- polynomials, integer coefficients
# A monomial is one integer: total degree in the lowest BITS bits, then one exponent after another.
Poly = dict[int, int]
names: list[str] = []


def variable(name: str) -> Poly:
    if name not in names:
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
    return max((m & ((1 << BITS) - 1) for m in p), default=0)


def add(p: Poly, q: Poly, factor: int = 1) -> Poly:
    out = dict(p)
    for m, c in q.items():
        out[m] = out.get(m, 0) + factor * c
    return {m: c for m, c in out.items() if c}


def mul(p: Poly, q: Poly) -> Poly:
    need(len(p) * len(q) < 10**7 and degree(p) + degree(q) < LIMIT, "an expression is too large")
    out: Poly = {}
    for m, c in p.items():
        for n, e in q.items():
            out[m + n] = out.get(m + n, 0) + c * e
    return {m: c for m, c in out.items() if c}


def power(p: Poly, n: int) -> Poly:
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
        need(bool(self.num), "division by zero")
        content = reduce(gcd, self.num.values())
        factor = tuple(sorted((m, c // content) for m, c in self.num.items()))
        den = {} if factor == ((0, 1),) else {factor: 1}
        if content != 1:
            den[((0, content),)] = 1
        return Q(self.bottom(), den)

    def bottom(self) -> Poly:
        return reduce(mul, [power(dict(f), e) for f, e in self.den.items()], {0: 1})

    def is_zero(self) -> bool:
        return not self.num


ONE, ZERO = Q({0: 1}), Q({})


def parse(text: Any, env: dict[str, Q]) -> Q:
    """Read an arithmetic expression; only + - * / **, integers and the names in env."""
    need(isinstance(text, str) and len(text) < 10**5, f"not an expression: {str(text)[:60]}")

    def walk(node: ast.expr) -> Q:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return Q({0: node.value} if node.value else {})
        if isinstance(node, ast.Name):
            need(node.id in env, f"unknown name {node.id}")
            return env[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -walk(node.operand)
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Pow):
                n = node.right
                need(isinstance(n, ast.Constant) and type(n.value) is int, "bad exponent")
                exponent = int(n.value)  # type: ignore[attr-defined]
                need(0 <= exponent <= 100, "bad exponent")
                return reduce(Q.__mul__, [walk(node.left)] * exponent, ONE)
            left, right = walk(node.left), walk(node.right)
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Mult):
                return left * right
            if isinstance(node.op, ast.Div):
                return left * right.inverse()
        raise Refused(f"not an expression: {text[:60]}")

    try:
        return walk(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"not an expression: {text[:60]}") from error


def index_of(name: str) -> int:
    variable(name)
    return names.index(name)


def collect(q: Q, name: str) -> list[Q]:
    """The coefficients of q in one variable, lowest first (the denominator must be free of it)."""
    v, parts = index_of(name), dict[int, Poly]()
    for m, c in q.num.items():
        e = exponents(m).get(v, 0)
        rest = m - e * next(iter(variable(name)))
        parts[e] = add(parts.get(e, {}), {rest: c})
    return [Q(parts.get(e, {}), q.den) for e in range(max(parts, default=0) + 1)]


def power_sum(n: int, top: Q) -> Q:
    """1^n + 2^n + ... + top^n as a polynomial in top (Pascal's recursion); 0^0 counts in."""
    out = reduce(Q.__mul__, [top + ONE] * (n + 1), ONE)
    for k in range(n):
        out = out - Q({0: comb(n + 1, k)}) * power_sum(k, top)
    return out * Q({0: n + 1}).inverse()


def substitute(p: Poly, values: dict[int, tuple[Poly, Poly]]) -> tuple[Poly, Poly]:
    """p at v = a/b for (a, b) = values[v], as numerator and denominator."""
    split = [(exponents(m), c) for m, c in p.items()]
    need(all(v in values for x, _ in split for v in x), "a chart leaves a parameter out")
    top = {v: max((x.get(v, 0) for x, _ in split), default=0) for v in values}
    num: Poly = {}
    for x, c in split:
        factors = [(a, b, x.get(v, 0), top[v]) for v, (a, b) in values.items() if top[v]]
        term = reduce(mul, [mul(power(a, e), power(b, n - e)) for a, b, e, n in factors], {0: c})
        num = add(num, term)
    return num, reduce(mul, [power(b, top[v]) for v, (_, b) in values.items()], {0: 1})


# ---------------------------------------------------------------- domains and signs
class Domain:
    """Parameters with facts such as ``K >= 2`` or ``epsilon < 1``, and charts that cover them."""

    def __init__(self, data: Any, charts: Any, extra: tuple[str, ...] = ()):
        self.data, self.charts, self.used = data, charts, list[Any]()
        self.integers, self.reals = list(data["integers"]), list(data["reals"])
        self.values = dict(data.get("values", {}))
        self.env: dict[str, Q] = {}
        for name in [*self.integers, *self.reals]:
            need(isinstance(name, str) and name.isidentifier() and name != "j", "bad parameter")
            if name not in self.values:
                self.env[name] = Q(variable(name))
        for name, value in self.values.items():
            self.env[name] = parse(value, dict(self.env))
        self.facts = {f: self.fact(f) for f in [*data["facts"], *extra]}
        self.seen: dict[Any, bool] = {}
        self.checked: dict[int, Any] = {}

    def fact(self, text: str) -> tuple[Q, bool]:
        """``a >= b`` as (a - b, False); ``a > b`` as (a - b, True)."""
        for sign, strict in ((">=", False), ("<=", False), (">", True), ("<", True)):
            if sign in text:
                a, b = (parse(side, self.env) for side in text.split(sign, 1))
                return (a - b if sign[0] == ">" else b - a), strict
        raise Refused(f"not a fact: {text}")

    def within(self, lo: Q, hi: Q) -> Domain:
        """The same domain with an index j from lo to hi; j is eliminated when they agree."""
        child = Domain(self.data, self.charts)
        child.used, child.env["j"] = self.used, lo
        if not (hi - lo).is_zero():
            child.env["j"] = Q(variable("j"))
            child.facts["j >= lo"] = (child.env["j"] - lo, False)
            child.facts["j <= hi"] = (hi - child.env["j"], False)
        return child

    def chart(self, chart: Any) -> tuple[dict[int, tuple[Poly, Poly]], set[int]] | None:
        """The substitution of a chart whose slacks cover this domain; None if they do not."""
        slack, strict, sub = {}, set(), {}
        for u, (top, bottom) in chart["slack"].items():
            if top not in self.facts or (bottom and bottom not in self.facts):
                return None
            need(u.startswith("u") and u not in self.env, "bad slack name")
            value, positive = self.facts[top]
            if bottom:
                need(self.facts[bottom][1], "a slack divides by a fact that is not strict")
                value = value * self.facts[bottom][0].inverse()
            slack[u] = value
            if positive:
                strict.add(u)
        env = {u: Q(variable(u)) for u in slack}
        back = {names.index(u): (value.num, value.bottom()) for u, value in slack.items()}
        for name, value in self.env.items():
            if value.num == variable(name) and not value.den:
                if name not in chart["map"]:
                    return None
                image = parse(chart["map"][name], env)
                top, bottom = (substitute(p, back) for p in (image.num, image.bottom()))
                returned = Q(mul(top[0], bottom[1])) * Q(mul(top[1], bottom[0])).inverse()
                if not (returned - value).is_zero() or min(image.bottom().values()) < 0:
                    return None
                sub[names.index(name)] = (image.num, image.bottom())
        return sub, {names.index(u) for u in strict}

    def sign(self, q: Q, strict: bool = False) -> bool:
        """Whether some chart shows q >= 0 (or > 0) on the whole domain, denominators nonzero."""
        key = (tuple(sorted(q.num.items())), tuple(sorted(q.den.items())), strict)
        if key not in self.seen:
            self.seen[key] = self._sign(q, strict)
        return self.seen[key]

    def _sign(self, q: Q, strict: bool) -> bool:
        charts = self.charts(self) if callable(self.charts) else self.charts
        for number, data in enumerate(charts):
            if number not in self.checked:
                self.checked[number] = self.chart(data)
            if self.checked[number] is None:
                continue

            def side(p: Poly, certain: bool, chart: Any = self.checked[number]) -> int:
                """+1 or -1 if p has that sign throughout, 0 if unknown; p = 0 counts as +1."""
                image, good = substitute(p, chart[0])[0], chart[1]
                sign = 1 if all(c > 0 for c in image.values()) else -1
                if not all(c * sign > 0 for c in image.values()):
                    return 0
                sure = any(all(v in good for v in exponents(m)) for m in image)
                return sign if sure or not certain else 0

            total = side(q.num, strict)
            for f, e in q.den.items():
                total *= side(dict(f), True) ** e
            if total == 1 or (total and not q.num and not strict):
                if data not in self.used:
                    self.used.append(data)
                return True
        return False

    def integral(self, q: Q) -> bool:
        """Whether q takes integer values: a polynomial in the integers with integer coefficients."""
        reals = [index_of(name) for name in self.reals]
        return not q.den and not any(v in exponents(m) for m in q.num for v in reals)

    def nonzero(self, q: Q) -> bool:
        """No denominator of q vanishes on the domain."""
        return all(self.sign(Q(dict(f)), True) or self.sign(-Q(dict(f)), True) for f in q.den)

    def expression(self, text: Any, **more: Q) -> Q:
        q = parse(text, {**self.env, **more})
        need(self.nonzero(q), f"a denominator may vanish: {str(text)[:80]}")
        return q

    def contains(self, other: dict[str, Any]) -> bool:
        """Whether every point of this domain lies in the other, by its facts."""
        known = set(other["integers"]) <= set(self.integers)
        known = known and set(other["reals"]) <= {*self.integers, *self.reals}
        return (
            known
            and not other.get("values")
            and all(self.sign(*self.fact(f)) for f in other["facts"])
        )


# ---------------------------------------------------------------- chains given by generic rows
Move = tuple[str, "Q | None", Q, bool]


class Row:
    """One generic row: a class, and the index j in [lo, hi] if it has one."""

    def __init__(self, domain: Domain, data: Any, number: int):
        self.data, self.name, self.number = data, data["from"], number
        self.domain, self.indexed, self.empty = domain, data.get("index") is not None, False
        self.lo = self.hi = ZERO
        if self.indexed:
            self.lo, self.hi = (domain.expression(s) for s in data["index"])
            self.domain = domain.within(self.lo, self.hi)
        self.j = self.domain.env.get("j")

    def value(self, text: Any, j: Q | None = None) -> Q:
        return self.domain.expression(text, **({"j": j} if j else {}))

    def total(self, q: Q) -> Q:
        """The sum of q over j from lo to hi, with q a polynomial in j."""
        if not self.indexed or self.j is self.lo:
            return q
        need(not any(index_of("j") in exponents(m) for f in q.den for m, _ in f), "j divides")
        out = ZERO
        for n, part in enumerate(collect(q, "j")):
            out = out + part * (power_sum(n, self.hi) - power_sum(n, self.lo - ONE))
        return out

    def moves(self, domain: Domain | None = None, j: Q | None = None) -> list[Move]:
        """Target class, its index, probability, whether the move leaves the cluster."""
        read = (domain or self.domain).expression
        more = {"j": j} if j else {}
        return [
            (to, None if at is None else read(at, **more), read(p, **more), bool(tag))
            for to, at, p, *tag in self.data["to"]
        ]


class Chain:
    """Classes with sizes and index ranges, rows that cover them, probabilities that sum to 1."""

    def __init__(self, domain: Domain, data: Any, absorbing: Any = ()):
        self.domain, self.classes, self.rows = domain, data["classes"], list[Row]()
        for number, row in enumerate(data["rows"]):
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
        index = self.classes[name].get("index")
        return (
            (self.domain.expression(index[0]), self.domain.expression(index[1])) if index else None
        )

    def inside(self, name: str, at: Q | None, domain: Domain) -> None:
        need(name in self.classes, f"unknown class {name}")
        span = self.span(name)
        need((span is None) == (at is None), f"a wrong index for {name}")
        if span and at:
            ok = domain.sign(at - span[0]) and domain.sign(span[1] - at)
            need(ok, f"an index leaves the range of {name}")


# ---------------------------------------------------------------- the kinds of statement
def residuals(chain: Chain, values: Any, target: Any) -> list[tuple[Row, Q, Q]]:
    """Per row off the target: the row, f there, and (I - P) f, for f = 0 on the target."""
    need(all(parse(values[t], {}).is_zero() for t in target), "the function is not 0 on the target")
    need(all(t in chain.classes for t in target), "unknown target")
    out = []
    for row in chain.rows:
        if row.name not in target:
            value = drift = row.value(values[row.name])
            for to, at, p, _ in row.moves():
                if not p.is_zero():
                    drift = drift - p * row.value(values[to], at)
            out.append((row, value, drift))
    return out


def mean_hitting_time(s: Any, w: Any, premises: list[Any]) -> Domain:
    if premises:
        need(premises[0]["kind"] == "aggregated-matrix", "a premise of the wrong kind")
        need(premises[0]["aggregated"] == s["chain"], "the chain is not the aggregated one")
        need(premises[0]["domain"] == s["domain"], "the premise has another domain")
    domain = Domain(s["domain"], w["charts"])
    chain, values = Chain(domain, s["chain"], s["target"]), w["values"]
    for row, value, drift in residuals(chain, values, s["target"]):
        need(row.domain.sign(value), f"the time from {row.name} may be negative")
        need((drift - ONE).is_zero(), f"the equation of {row.name} is not met")
    name, at = s["start"]
    index = None if at is None else domain.expression(at)
    chain.inside(name, index, domain)
    there = domain.expression(values[name], **({"j": index} if index else {}))
    need((there - domain.expression(s["value"])).is_zero(), "the value at the start is another")
    return domain


def stationary(s: Any, w: Any, premises: list[Any]) -> Domain:
    need(len(premises) == 1 and premises[0]["kind"] == "mean-hitting-time", "no hitting time given")
    same_chain(s, premises[0])
    domain = Domain(s["domain"], w["charts"])
    chain, total = Chain(domain, s["chain"]), ZERO
    mass = masses(chain, s["law"])
    for row in chain.rows:
        need(row.domain.sign(mass(row)), "a stationary mass may be negative")
        total = total + row.total(mass(row))
        for to, at, _, _ in row.moves():
            for other in (r for r in chain.rows if r.name == to):
                if at and (
                    row.domain.sign(other.lo - at, True) or row.domain.sign(at - other.hi, True)
                ):
                    continue  # the move never lands in this row's range
                forth = mass(row) * flow(row.moves(), to, at)
                back = mass(other, row.domain, at) * flow(
                    other.moves(row.domain, at), row.name, row.j
                )
                need((forth - back).is_zero(), f"no balance between {row.name} and {to}")
    need((total - ONE).is_zero(), "the stationary masses do not sum to 1")
    return domain


def same_chain(s: Any, premise: Any) -> None:
    same = premise["chain"] == s["chain"] and premise["domain"] == s["domain"]
    need(same, "a premise speaks of another chain")


def masses(chain: Chain, law: Any) -> Any:
    """Stationary mass of a class at an index: size times the probability of one state."""
    need(isinstance(law, list) and len(law) == chain.count, "the law needs one value a row")

    def mass(row: Row, domain: Domain | None = None, j: Q | None = None) -> Q:
        read, more = (domain or row.domain).expression, {"j": j} if j else {}
        return read(chain.classes[row.name]["size"], **more) * read(law[row.number], **more)

    return mass


def flow(moves: list[Move], name: str, at: Q | None) -> Q:
    hits = [
        p for to, i, p, _ in moves if to == name and (i is at or (i and at and (i - at).is_zero()))
    ]
    return reduce(Q.__add__, hits, ZERO)


def aggregated_matrix(s: Any, w: Any, premises: list[Any]) -> Domain:
    need(len(premises) == 1 and premises[0]["kind"] == "stationary", "no stationary law given")
    same_chain(s, premises[0])
    domain, label = Domain(s["domain"], w["charts"]), s["clusters"]
    chain = Chain(domain, s["chain"])
    mass = masses(chain, premises[0]["law"])
    for row in Chain(domain, s["aggregated"]).rows:
        whole, leaving = ZERO, list[Move]()
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
    for claim in s["claims"]:
        q, strict = domain.fact(claim)
        need(domain.nonzero(q) and domain.sign(q, strict), f"{claim} is not shown")
    return domain


def gap_lower(s: Any, w: Any, premises: list[Any]) -> Domain:
    domain = Domain(s["domain"], w["charts"])
    chain, gap, pivot = Chain(domain, s["chain"]), domain.expression(s["value"]), s["pivot"]
    need(
        chain.classes[pivot]["size"] == "1" and chain.span(pivot) is None,
        "the pivot is not one state",
    )
    for row, value, drift in residuals(chain, w["values"], [pivot]):
        need(row.domain.sign(value, True), f"the function may vanish on {row.name}")
        need(row.domain.sign(drift - gap * value), f"the inequality of {row.name} is not met")
    return domain


def instance(s: Any, w: Any, premises: list[Any]) -> Domain:
    """A conclusion that does not mention some integers holds once such integers exist."""
    need(len(premises) == 1 and s["of"] == premises[0], "not one premise")
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
        need(len(slope) == 2 and not strict, f"cannot choose {name}")
        rises = domain.sign(slope[1], True)
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
    need(len(premises) == 1 and premises[0]["kind"] == "stationary", "no stationary law given")
    same_chain(s, premises[0])
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
    data = {**s["domain"], "reals": [*s["domain"]["reals"], "w"]}
    top = "c" if "c" in data["reals"] else "1"  # c stands for cos(2 pi/K)
    need("K" in data["integers"] and not data.get("values"), "no number of clusters")
    domain = Domain(s["domain"], w["charts"])
    need(domain.sign(domain.expression("K - 2")), "K may be less than 2")
    mentioned = [f for f in data["facts"] if re.search(r"\bc\b", f)]
    need(
        top == "1" or sorted(mentioned) == ["c < 1", "c >= -1"],
        "c is cos(2 pi/K), no more, no less",
    )
    modes = Domain({**data, "facts": [*data["facts"], "w >= -1", f"w <= {top}"]}, w["charts"])
    modes.used = domain.used
    types, law = s["types"], w["law"]
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
            need(domain.sign(ONE - gap), "the eigenvalue 0 inside a type is nearer to 1")
            for here, block in ((domain, rest), (modes, blocks[False])):
                for coefficient in collect(at(block, ONE - gap + x), "x"):
                    need(here.sign(coefficient), "an eigenvalue may be nearer to 1")
        else:
            need(s["side"] == "upper", "unknown side")
            block = [substitute_q(q, "w", domain.env.get("c")) for q in blocks[False]]
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
    return domain


def derivative(coefficients: list[Q]) -> list[Q]:
    return [Q({0: n}) * c for n, c in enumerate(coefficients)][1:]


def chains(s: Any) -> list[Any]:
    """The chains that the parts of a statement speak of."""
    inner = s["parts"] if s["kind"] == "cases" else [s["of"]] if s["kind"] == "instance" else []
    found = (
        [c for part in inner for c in chains(part)] if inner else [s.get("chain", s.get("moves"))]
    )
    return [c for n, c in enumerate(found) if c not in found[:n]]


def spectral_gap(s: Any, w: Any, premises: list[Any]) -> Domain:
    """Lower bound, upper bound, their ratio and the exact value, of one chain."""
    domain = Domain(s["domain"], w["charts"])
    low, high, *exact = (conclusion(premise) for premise in premises)
    for premise in premises:
        need(domain.contains(premise["domain"]), "the domain is larger than a premise's")
        need(chains(premise) == chains(premises[0]), "the premises speak of other chains")
    need(low["kind"] == "gap-lower" or low.get("side") == "lower", "no lower bound")
    need(high["kind"] == "gap-upper" or high.get("side") == "upper", "no upper bound")
    need(s["chains"] == chains(premises[0]), "another chain")
    need(s["lower"] == low["value"] and s["upper"] == high["value"], "other bounds")
    if high.get("lower") != s["lower"] or high["ratio"] != s["ratio"]:
        apart = domain.expression(s["ratio"]) * domain.expression(s["lower"])
        need(domain.sign(apart - domain.expression(s["upper"])), "the bounds are further apart")
    if "value" in s:
        roots = [x["value"] for x in exact if x.get("side") == "root"]
        need(s["value"] in roots or s["value"] == s["lower"] == s["upper"], "no exact value")
    return domain


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
    out, w = {0: 0}, variable("w")
    previous, current = {0: 2}, {m: 2 * c for m, c in w.items()}
    for n in range(max(shifts, default=0) + 1):
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
        whole = domain.facts[split][0]
        need(domain.integral(whole), "the fact is not about integers")
    else:
        need(last == 1, "two parts are needed")
    for n, part in enumerate(premises):
        data = part["domain"]
        same = all(data[k] == s["domain"][k] for k in ("integers", "reals"))
        need(same and all(f in data["facts"] for f in others), "a part has another domain")
        more, inner = [f for f in data["facts"] if f not in others], Domain(data, w["charts"])
        if split and n < last:
            need(not more and len(data["values"]) == len(old) + 1, "a part fixes more or less")
            need(all(data["values"].get(k) == v for k, v in old.items()), "a part has other values")
            need((inner.fact(split)[0] - Q({0: n})).is_zero(), "a part fixes another value")
        else:
            need(
                len(more) == 1 and data.get("values", {}) == old, "a part has more facts or values"
            )
            bound, strict = inner.fact(more[0])
            if split:
                gap = bound - whole + Q({0: n})
            else:
                gap = bound - parse(s["by"], inner.env) * Q({0: (-1) ** n})
            need(gap.is_zero() and not strict, "the parts leave a gap")
        need(told(part) == told(premises[0]), "the parts conclude different things")
    return domain


# ---------------------------------------------------------------- statements in words
def conclusion(s: Any) -> Any:
    inner = {"cases": lambda: s["parts"][0], "instance": lambda: s["of"]}.get(s["kind"])
    return conclusion(inner()) if inner else s


def told(s: Any) -> Any:
    """What a statement concludes, without the chain it speaks of."""
    hidden = ("domain", "chain", "aggregated", "clusters", "law")
    return {k: v for k, v in conclusion(s).items() if k not in hidden}


def place(name: str, at: str | None) -> str:
    return name if at is None else f"{name}[{at}]"


def listing(chain: Any, law: Any = None) -> str:
    lines = []
    for number, row in enumerate(chain["rows"]):
        span = row.get("index")
        head = f"{row['from']}[j] for j = {span[0]} .. {span[1]}" if span else row["from"]
        moves = "; ".join(f"{place(to, at)} with {p}" for to, at, p, *_ in row["to"])
        size = chain["classes"][row["from"]].get("size")
        extra = f" (each of {size}: {law[number]})" if law else f" (size {size})" if size else ""
        lines.append(f"    {head}{extra} -> {moves}")
    return "\n".join(lines)


def rows_text(chain: Any) -> str:
    if isinstance(chain, dict):
        return listing(chain)
    return "\n".join(f"    {a} -> {b}, cluster {shift}, with {p}" for a, b, shift, p in chain)


def sentence(s: Any) -> str:
    kind = s["kind"]
    if kind == "cases":
        return "".join(f"\n- {text(part)}" for part in s["parts"])
    if kind == "instance":
        return f"what follows holds for one further parameter, hence always.\n- {text(s['of'])}"
    if kind == "mean-hitting-time":
        said = f"the mean time to hit {', '.join(s['target'])} from {place(*s['start'])} is {s['value']}"
    elif kind == "stationary":
        return "the chain is reversible with one stationary law:\n" + listing(s["chain"], s["law"])
    elif kind == "aggregated-matrix":
        return (
            "the clusters of the chain\n" + listing(s["chain"]) + f"\n  ({s['clusters']})\n"
            "  have the aggregated matrix\n" + listing(s["aggregated"])
        )
    elif kind == "comparison":
        values = [f"\n  v{n} = {v['value']} ({v['kind']})" for n, v in enumerate(s["where"])]
        return " and ".join(s["claims"]) + " for" + "".join(values)
    elif kind == "spectral-gap":
        exact = f" and equals {s['value']}" if "value" in s else ""
        where = ", with c = cos(2*pi/K)" if "c" in s["domain"]["reals"] else ""
        return (
            f"the spectral gap lies between {s['lower']} and {s['upper']}, which differ by a factor of at "
            f"most {s['ratio']},{exact}{where}, for the chain\n"
            + "\n".join(map(rows_text, s["chains"]))
        )
    elif kind == "cyclic-gap":
        relation = {"lower": ">=", "upper": "<=", "root": "="}[s["side"]]
        where = " with c = cos(2*pi/K)" if "c" in s["domain"]["reals"] else ""
        return (
            f"the spectral gap is {relation} {s['value']}{where}, for the chain on Z_K x states of "
            f"types {s['types']}, uniform in each type, with moves\n{rows_text(s['moves'])}"
        )
    else:
        relation = {"gap-lower": ">=", "gap-upper": "<="}[kind]
        said = f"every reversible chain that lumps to these rows has spectral gap {relation} {s['value']}"
    return said + ", on the rows\n" + listing(s["chain"])


def text(s: Any) -> str:
    domain = s["domain"]
    given = [f"{k} = {v}" for k, v in domain.get("values", {}).items()] + domain["facts"]
    whole = f"integers {', '.join(domain['integers'])}" if domain["integers"] else ""
    names = " and ".join(x for x in (whole, f"reals {', '.join(domain['reals'])}") if x[-1] != " ")
    return f"For all {names} with {', '.join(given)}: {sentence(s)}"


KINDS = {
    "mean-hitting-time": mean_hitting_time,
    "stationary": stationary,
    "aggregated-matrix": aggregated_matrix,
    "comparison": comparison,
    "gap-lower": gap_lower,
    "gap-upper": gap_upper,
    "cyclic-gap": cyclic_gap,
    "instance": instance,
    "spectral-gap": spectral_gap,
    "cases": cases,
}


def check(certificate: Any) -> Any:
    """Return the statement that the certificate proves; raise Refused if it does not prove it."""
    try:
        need(certificate["format"] == FORMAT, "not a certificate of this format")
        premises = [check(premise) for premise in certificate.get("premises", [])]
        statement, witness = certificate["statement"], certificate["witness"]
        need(statement["kind"] in KINDS, f"unknown kind {statement['kind']}")
        if "vacuous" in witness:  # the facts contradict each other: nothing to show
            domain = Domain(statement["domain"], witness["charts"])
            fact = domain.facts[witness["vacuous"]][0]
            need(domain.sign(-fact, True), "the domain is not empty")
        else:
            KINDS[statement["kind"]](statement, witness, premises)
        text(statement)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Refused(f"malformed certificate: {type(error).__name__} {error}") from error
    return statement


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python checker.py CERTIFICATE.json", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            certificate = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        print(f"{arguments[0]}: not a readable certificate: {error}", file=sys.stderr)
        return 2
    try:
        print("VERIFIED: " + text(check(certificate)))
    except Refused as error:
        print(f"REFUSED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
