"""Builds certificates: statements with the witnesses that let the lone checker re-verify them.

A witness is found by running the checker's own rules and answering each question about a sign, in
order, with a proof: the polynomial written in the facts of the domain without a minus.  Such a
proof comes from a chart, which expresses the parameters in facts.  Nothing here is trusted: what
counts is the verdict of :func:`theory.checker.check` on the finished certificate.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from operator import mul, sub
from typing import Any

import sympy
from flint import Ordering, fmpq, fmpq_poly, fmpz_mpoly, fmpz_mpoly_ctx

from theory import checker, factoring
from theory.chain import Cases, Chains, OrbitChain
from theory.checker import Q
from theory.domain import FRACTIONS, Domain, difference

Certificate = dict[str, Any]
MOST_CHARTS = 400
MOST_RAISED, POWERS, MOST_DEGREE = 2, (1, 4), 24
SAMPLE = 12  # points at which a sign is tried before a proof is sought
_POINTS: dict[str, list[dict[str, Fraction]]] = {}
_PROOFS: dict[Any, str] = {}  # what has been found for a domain and an expression
_VALUES: dict[Any, tuple[Q, list[Q]]] = {}  # of long expressions, and what divides in them
LONG = 60  # letters


class NoProof(ValueError):
    """No certificate was found for a statement (which may be true all the same)."""


def certify(
    statement: Mapping[str, Any],
    premises: Sequence[Certificate] = (),
    witness: Mapping[str, Any] | None = None,
) -> Certificate:
    """Complete a statement to a certificate.

    Raises
    ------
    NoProof
        The checker's rules do not prove the statement with any chart that was tried.
    """
    told, shown = [p["statement"] for p in premises], dict(witness or {})
    try:
        domain = Searching(statement["domain"], [])
        checker.prove(statement, shown, told, domain)
    except checker.Refused as error:
        premises = premises if "of" in statement else []
        try:
            domain = Searching(statement["domain"], [])
        except checker.Refused:
            raise NoProof(f"{statement['kind']}: {error}") from error
        for fact in statement["domain"]["facts"]:
            domain.proofs.clear()
            shown = {"vacuous": fact}
            if domain.sign(domain.relation(fact, domain.read)[0], True) < 0:
                break
        else:
            raise NoProof(f"{statement['kind']}: {error}") from error
    return {
        "format": checker.FORMAT,
        "statement": dict(statement),
        "witness": {**shown, "signs": domain.proofs},
        "premises": list(premises),
    }


def completed(certificate: Certificate) -> Certificate:
    """The certificate with the best proofs of signs that are found, whether or not it holds."""
    premises = [completed(premise) for premise in certificate["premises"]]
    statement, shown = certificate["statement"], dict(certificate["witness"])
    if "signs" not in shown:
        domain = Searching(statement["domain"], [])
        with contextlib.suppress(checker.Refused):
            checker.prove(statement, shown, [p["statement"] for p in premises], domain)
        shown["signs"] = domain.proofs
    return {**certificate, "witness": shown, "premises": premises}


def by_cases(chains: Chains, build: Callable[[OrbitChain], Certificate]) -> Certificate:
    """A certificate for each case, joined into one for the whole domain."""
    if isinstance(chains, OrbitChain):
        return build(chains)
    return join(chains, [by_cases(part, build) for part in chains.parts])


def join(cases: Cases, parts: list[Certificate]) -> Certificate:
    """The statement on the whole domain from those on its parts."""
    return joined(cases.domain, {"split": difference(cases.fact), "integer": "yes"}, parts)


def joined(domain: Domain, witness: Mapping[str, str], parts: list[Certificate]) -> Certificate:
    """One statement from those on parts of its domain; what differs is given by cases."""
    told = [part["statement"] for part in parts]
    statement = {"kind": told[0]["kind"], "domain": domain.to_json()}
    for key in [key for key in told[0] if key not in statement]:
        values = [s.get(key) for s in told]
        same = all(value == values[0] for value in values)
        statement[key] = values[0] if same else {"by": witness["split"], "cases": values}
    return certify(statement, parts, witness)


def by_splitting(
    domain: Domain, build: Callable[[Domain], Certificate], depth: int = 2
) -> Certificate:
    """Try the whole domain; where no proof is found, split it and try the parts.

    The smallest value of an integer is split off, or the range of epsilon is halved.
    """
    try:
        return build(domain)
    except NoProof as failure:
        for witness, parts in _splits(domain) if depth else ():
            try:
                found = [by_splitting(part, build, depth - 1) for part in parts]
                return joined(domain, witness, found)
            except NoProof:
                continue
        raise failure


def _splits(domain: Domain) -> Iterator[tuple[dict[str, str], tuple[Domain, Domain]]]:
    """Ways to cover the domain by two parts: the last facts first, since they are the tightest."""
    free = {p.name: sympy.Symbol(p.name) for p in domain.parameters if p.name not in domain.values}
    integers = {free[p.name] for p in domain.parameters if p.integer and p.name in free}
    for fact in reversed(domain.all_facts):
        gap = domain.gap(fact)
        for symbol in sorted(gap.free_symbols & integers, key=str):
            slope = sympy.expand(gap).coeff(symbol)
            if gap.free_symbols <= integers and abs(slope) == 1:
                value = str(sympy.expand(symbol - gap / slope))
                witness = {"split": difference(fact), "integer": "yes"}
                yield witness, domain.split(fact, {str(symbol): value})
                break
    for parameter in domain.parameters:
        if not parameter.integer and f"{parameter.name} > 0" in domain.all_facts:
            by = f"2*{parameter.name} - 1"
            yield {"split": by}, (domain.where(f"({by}) >= 0"), domain.where(f"-({by}) >= 0"))


# ---------------------------------------------------------------- proofs of signs
class Searching(checker.Domain):
    """A domain that looks for the proofs it is asked for, and keeps them in order."""

    proofs: Any

    def read(self, text: Any, **more: Q) -> Q:
        """The value of an expression; a long one is parsed once for each value of its names."""
        if len(text) < LONG:
            return super().read(text, **more)
        env = self.env | more
        names = [name for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text)) if name in env]
        key = text, *((name, env[name].content()) for name in names)
        if key not in _VALUES:
            _make_room(_VALUES, 2_000)
            divisors = list[Q]()
            _VALUES[key] = checker.parse(text, env, divisors), divisors
        value, divisors = _VALUES[key]
        if not all(self.sign(Q(d.num), True) for d in divisors):
            raise checker.Refused("a denominator may vanish")
        return value

    def offered(self, q: Q, strict: bool) -> str:
        """A proof that q (or else -q) is >= 0 (or > 0), or 0 where none is found."""
        key = str(self.data), q.content(), strict
        if key not in _PROOFS:
            _make_room(_PROOFS, 20_000)
            _PROOFS[key] = self._proof(q, strict)
        self.proofs.append(_PROOFS[key])
        return _PROOFS[key]

    def _proof(self, q: Q, strict: bool) -> str:
        proof, q = "0", _reduced(q)
        if q.num:
            below, sign = list[str](), 1
            for factor, e in q.den.items():
                up, down = self._part(Q(factor), True), self._part(Q({}) - Q(factor), True)
                sign *= 1 if up else (-1) ** e
                below += [f"({up or down})" if up or down else ""] * e
            signed = Q({m: sign * c for m, c in q.num.items()})
            top = self._part(signed, strict) or self._part(Q({}) - signed, strict)
            if top and all(below):
                proof = "/".join([f"({top})", *below]) if below else top
        return proof

    def _refuted(self, p: Q, strict: bool) -> bool:
        """Whether p has the wrong sign at some point of the domain."""
        key = str(self.data)
        if key not in _POINTS:
            _make_room(_POINTS, 1000)
            _POINTS[key] = list(itertools.islice(_inside(self), SAMPLE))
        values = (_at(p, point) for point in _POINTS[key])
        return any(v <= 0 if strict else v < 0 for v in values)

    def _part(self, p: Q, strict: bool) -> str | None:
        """A proof that a polynomial is >= 0 (or > 0)."""
        if not any(p.num):
            return str(p.num[()]) if p.num[()] > 0 else None
        strictly = {u for u, q in self.least.items() if q.num}
        for u, fact in self.slack.items():
            if fact.num == p.num and not fact.den and (u in strictly or not strict):
                return u
        own, bounded = {name for m in p.num for name in m}, _bounded(self)
        if not own <= bounded or self._refuted(p, strict):
            return None
        for names in dict.fromkeys((frozenset(own), frozenset(bounded))):
            for chart in _charts(self, names):
                image = chart(p)
                sure = not strict or any(strictly.issuperset(m) for m in image.num)
                if sure and all(c > 0 for c in image.num.values()):
                    return _text(image, chart.units)
        return self._by_powers(p, strict) or self._raised(p, strict) or self._in_one(p, strict)

    def _raised(self, p: Q, strict: bool) -> str | None:
        """The same for p times a power of 1 + the sum of the facts (Pólya)."""
        strictly = {u for u, q in self.least.items() if q.num}
        charts = itertools.islice(_charts(self, frozenset(_bounded(self))), MOST_RAISED)
        for chart, n in itertools.product(charts, POWERS):
            image = chart(p)
            names = {u for m in image.num for u in m}
            if image.den or not names:
                continue
            one = reduce(Q.__add__, (Q({(u,): 1}) for u in sorted(names)), checker.ONE)
            raised = reduce(Q.__mul__, [one] * n, image)
            sure = not strict or any(strictly.issuperset(m) for m in raised.num)
            if sure and all(c > 0 for c in raised.num.values()):
                return f"({_text(raised, {})})/({_text(one, {})})**{n}"
        return None

    def _in_one(self, p: Q, strict: bool) -> str | None:
        """The same in Bernstein's basis, for one variable between two facts about it alone."""
        names = {name for m in p.num for name in m}
        lines = [
            (u, q)
            for u, q in self.slack.items()
            if {n for m in q.num for n in m} == names and max(map(len, q.num)) == 1 and not q.den
        ]
        if len(names) != 1 or not lines:
            return None
        value = [p.num.get((*names,) * n, 0) for n in range(max(map(len, p.num)) + 1)]
        slopes = {u: fmpq(q.num[(*names,)]) for u, q in lines}
        roots = {u: -q.num.get((), 0) / slopes[u] for u, q in lines}
        for u, v in itertools.product(slopes, slopes):
            if not (slopes[u] > 0 > slopes[v] and roots[v] > roots[u]):
                continue
            # 1 and x in u and v, as polynomials in u for v = 1
            one = fmpq_poly([-1 / slopes[v], 1 / slopes[u]]) / (roots[v] - roots[u])
            x = roots[u] * one + fmpq_poly([0, 1 / slopes[u]])
            form = fmpq_poly([0])
            for n, c in enumerate(reversed(value)):
                form = form * x + c * one**n
            strictly = {w for w in (u, v) if self.least[w].num}
            for n in range(len(value) - 1, MOST_DEGREE):
                terms = [(k, n - k, c) for k, c in enumerate(form.coeffs()) if c != 0]
                used = [{w for w, e in ((u, k), (v, l)) if e} for k, l, _ in terms]
                if all(c > 0 for *_, c in terms) and (
                    not strict or any(names <= strictly for names in used)
                ):
                    return " + ".join(f"({c})*{u}**{k}*{v}**{l}" for k, l, c in reversed(terms))
                form *= one
        return None

    def _by_powers(self, p: Q, strict: bool) -> str | None:
        """The same for each coefficient of x, where x > 0 is a fact."""
        powers: dict[int, dict[tuple[str, ...], int]] = {}
        for m, c in p.num.items():
            rest = tuple(name for name in m if name != "x")
            powers.setdefault(m.count("x"), {})[rest] = c
        own = [u for u, q in self.slack.items() if q.num == {("x",): 1}]
        if not own or not any(powers):
            return None
        sure, terms = not strict, []
        for n, part in powers.items():
            shown = self._part(Q(part), True) if not sure else None
            sure, shown = sure or shown is not None, shown or self._part(Q(part), False)
            if shown is None:
                return None
            terms.append(f"({shown})*{own[0]}**{n}" if n else f"({shown})")
        return " + ".join(terms) if sure else None


def _reduced(q: Q) -> Q:
    """The same in lower terms: no factor of the denominator has a divisor of the numerator."""
    names = sorted({v for m in _monomials(q) for v in m})
    if not names or not q.den:
        return q
    context = fmpz_mpoly_ctx.get(names, Ordering.lex)

    def element(p: Mapping[tuple[str, ...], int]) -> fmpz_mpoly:
        return context.from_dict({tuple(map(m.count, names)): c for m, c in p.items()})

    top, below = element(q.num), Counter[Any]()
    for factor in q.den.elements():
        rest = element(dict(factor))
        divisor = top.gcd(rest)
        top, rest = top // divisor, rest // divisor
        if not rest.is_one():
            below[frozenset(_terms(rest, names).items())] += 1
    return Q(_terms(top, names), below)


def _text(image: Q, units: Mapping[Any, int]) -> str:
    """A rational function of the facts without minus, factors that are constant left out."""
    top, below = _nested(image.num), []
    for factor, e in image.den.items():
        text = str(units.get(factor) or _nested(dict(factor)))
        below += [f"({text})"] * e if text != "1" else []
    return "/".join([f"({top})", *below]) if below else top


def _make_room(kept: dict[Any, Any], most: int) -> None:
    """Forget what was found first, so that what is kept stays bounded."""
    while len(kept) >= most:
        del kept[next(iter(kept))]


def _nested(p: Mapping[tuple[str, ...], int]) -> str:
    """A polynomial, positive but for the signs of all, with common factors taken out (Horner)."""
    uses = Counter(u for m in p for u in set(m))
    if len(p) == 1 or not uses or max(uses.values()) == 1:
        terms = []
        for m, c in p.items():
            factors = [f"{u}**{e}" if e > 1 else u for u, e in Counter(m).items()]
            terms.append("*".join([str(abs(c))] * (abs(c) != 1 or not factors) + factors))
        return " + ".join(terms)
    u = max(uses, key=lambda u: (uses[u], u))
    least = min(m.count(u) for m in p if u in m)
    inside, rest = dict[tuple[str, ...], int](), dict[tuple[str, ...], int]()
    for m, c in p.items():
        if u in m:
            first = m.index(u)
            inside[m[:first] + m[first + least :]] = c
        else:
            rest[m] = c
    text = f"{u}**{least}*({_nested(inside)})" if least > 1 else f"{u}*({_nested(inside)})"
    return f"{text} + {_nested(rest)}" if rest else text


def _at(q: Q, point: Mapping[str, Fraction]) -> Fraction:
    def poly(p: Mapping[tuple[str, ...], int]) -> Fraction:
        total = Fraction(0)
        for monomial, c in p.items():
            term = Fraction(c)
            for name in monomial:
                term *= point[name]
            total += term
        return total

    value = poly(q.num)
    for factor, e in q.den.items():
        value /= poly(dict(factor)) ** e
    return value


def _inside(domain: checker.Domain) -> Iterator[dict[str, Fraction]]:
    """Some points of a domain: each parameter chosen in turn, within the facts about it."""
    free = [n for n in domain.env if n not in domain.data["values"]]
    about = [({v for m in q.num for v in m}, q, domain.least[u]) for u, q in domain.slack.items()]
    rng, tries = random.Random(0), itertools.count()

    def extend(point: dict[str, Fraction]) -> Iterator[dict[str, Fraction]]:
        if next(tries) > 3000:
            return
        if len(point) == len(free):
            yield dict(point)
            return
        name = free[len(point)]
        choices = (
            list(FRACTIONS) if name in domain.data["reals"] else [Fraction(n) for n in range(8)]
        )
        rng.shuffle(choices)
        for choice in choices:
            here = {**point, name: choice}
            fits = True
            for names, q, least in about:
                if name in names and names <= set(here):
                    value = _at(q, here)
                    fits = fits and (value > 0 if least.num else value >= 0)
            if fits:
                yield from itertools.islice(extend(here), 3)

    return extend({})


# ---------------------------------------------------------------- charts
Fact = tuple[str, sympy.Expr, bool]  # u0 or u1 or .., what is >= 0, and whether it is > 0


class _Chart:
    """Parameters in facts: polynomials in them become expressions in the facts."""

    def __init__(self, images: Mapping[str, sympy.Expr], facts: Mapping[str, Q]):
        names = {u: Q({(u,): 1}) for u in facts}
        self.images = {n: checker.parse(_joined(x), names, []) for n, x in images.items()}
        factors = {f for q in self.images.values() for f in q.den}
        self.below = sorted(factors, key=sorted)
        self.units: dict[Any, int] = {}
        for factor in factors:
            value = _evaluated(dict(factor), facts)
            if not any(value.num) and not value.den:
                self.units[factor] = value.num[()]
        self.facts = sorted({u for q in self.images.values() for m in _monomials(q) for u in m})
        self.context = fmpz_mpoly_ctx.get(self.facts, Ordering.lex)
        letters = [f"x{n}" for n in range(len(self.images) + len(self.below))]
        self.before = fmpz_mpoly_ctx.get(letters, Ordering.lex)
        parts = [q.num for q in self.images.values()] + [dict(f) for f in self.below]
        self.parts = [
            self.context.from_dict({tuple(map(m.count, self.facts)): c for m, c in part.items()})
            for part in parts
        ]

    def __call__(self, p: Q) -> Q:
        """The image of a polynomial, over the least common denominator of its terms."""
        powers = {m: [m.count(name) for name in self.images] for m in p.num}
        under = [[q.den[f] for q in self.images.values()] for f in self.below]
        below = {
            m: [sum(map(mul, n, row)) for row in under] for m, n in powers.items()
        }  # of each term
        most = [max(column) for column in zip(*below.values(), strict=True)]
        terms = {(*powers[m], *map(sub, most, below[m])): c for m, c in p.num.items()}
        image = self.before.from_dict(terms).compose(*self.parts, ctx=self.context)
        den = Counter({f: n for f, n in zip(self.below, most, strict=True) if n})
        return Q(_terms(image, self.facts), den)


def _monomials(q: Q) -> Iterator[tuple[str, ...]]:
    return itertools.chain(q.num, *(dict(f) for f in q.den))


def _terms(p: fmpz_mpoly, names: Sequence[str]) -> dict[tuple[str, ...], int]:
    """A polynomial as the checker has it."""
    return {
        tuple(v for v, e in zip(names, m, strict=True) for _ in range(e)): int(c)
        for m, c in p.to_dict().items()
    }


def _evaluated(p: Mapping[tuple[str, ...], int], facts: Mapping[str, Q]) -> Q:
    terms = (reduce(Q.__mul__, (facts[u] for u in m), Q({(): c})) for m, c in p.items())
    return reduce(Q.__add__, terms, Q({}))


class _Charts:
    """The charts that some facts allow, made as they are asked for."""

    def __init__(self, more: Iterator[_Chart]):
        self._made: list[_Chart] = []
        self._more = itertools.islice(more, MOST_CHARTS)

    def __iter__(self) -> Iterator[_Chart]:
        number = 0
        while True:
            if number == len(self._made):
                chart = next(self._more, None)
                if chart is None:
                    return
                self._made.append(chart)
            yield self._made[number]
            number += 1


_CHARTS: dict[Any, _Charts] = {}


def _charts(domain: checker.Domain, names: frozenset[str]) -> _Charts:
    """The charts of some parameters that the facts about these alone allow."""
    key = str(domain.data), names
    if key not in _CHARTS:
        _make_room(_CHARTS, 200)
        _CHARTS[key] = _Charts(_enumerate(domain, names))
    return _CHARTS[key]


def _bounded(domain: checker.Domain) -> set[str]:
    """The parameters of which the facts speak."""
    return {name for q in domain.slack.values() for m in q.num for name in m}


def _joined(x: sympy.Expr) -> str:
    """An expression over one denominator, in factors."""
    return str(factoring.factor(x) if any(y.is_Pow for y in sympy.preorder_traversal(x)) else x)


def _enumerate(domain: checker.Domain, names: frozenset[str]) -> Iterator[_Chart]:
    """Charts with one fact (or two) a parameter, those from the most facts about j first."""
    free = [n for n in domain.env if n in names]
    facts = [
        (u, _sympy(q), bool(domain.least[u].num))
        for u, q in domain.slack.items()
        if {name for m in q.num for name in m} <= names
    ]
    real = [sympy.Symbol(n) for n in free if n in domain.data["reals"]]
    whole = [sympy.Symbol(n) for n in free if n not in domain.data["reals"]]
    linear = [f for f in facts if not f[1].has(*real)] if real else list(facts)
    linear.sort(key=lambda f: not f[1].has(sympy.Symbol("j")))
    at = {sympy.Symbol(n): sympy.Rational(x) for n, x in next(_inside(domain), {}).items()}
    later = {r: set(real[n + 1 :]) for n, r in enumerate(real)}
    options = [  # each in terms of the parameters before it, first
        sorted(_real_images(r, facts, at), key=lambda x, r=r: bool(x.free_symbols & later[r]))  # type: ignore[misc]
        for r in real
    ]
    chosen_sets = itertools.combinations(linear, len(whole))
    solved = [s for c in chosen_sets if (s := _solve_linear(c, whole)) is not None]
    for solution in sorted(solved, key=_falls):
        for picks in itertools.islice(itertools.product(*options), MOST_CHARTS):
            found = dict(solution) | dict(zip(real, picks, strict=True))
            for _ in real:  # c may be given by w, or w by c
                found = {name: value.subs(found) for name, value in found.items()}
            if any(x.free_symbols & set(found) for x in found.values()):
                continue
            yield _Chart({str(name): value for name, value in found.items()}, domain.slack)


def _solve_linear(
    facts: Sequence[Fact], unknowns: list[sympy.Symbol]
) -> dict[sympy.Symbol, sympy.Expr] | None:
    """The unknowns in terms of u0, u1, ..., or None if the facts do not determine them."""
    size = len(unknowns)
    slope = sympy.Matrix(size, size, lambda i, k: facts[i][1].coeff(unknowns[k]))
    if size and slope.det() == 0:
        return None
    inverse = slope.inv() if size else slope
    zero = dict.fromkeys(unknowns, 0)
    right = [sympy.Symbol(f[0]) - f[1].subs(zero) for f in facts]
    return {u: sum(inverse[i, k] * right[k] for k in range(size)) for i, u in enumerate(unknowns)}


def _falls(solution: dict[sympy.Symbol, sympy.Expr]) -> bool:
    """Whether some unknown falls with a slack: such a chart is tried last."""
    return any(value.coeff(u) < 0 for value in solution.values() for u in value.free_symbols)


def _real_images(
    r: sympy.Symbol, facts: Sequence[Fact], at: Mapping[sympy.Symbol, sympy.Expr]
) -> Iterator[sympy.Expr]:
    """Ways to write r in a fact and a strict one on the other side of it, or in one fact."""

    def rises(fact: Fact) -> bool:
        slope = sympy.diff(fact[1], r).subs(at)
        return bool(slope.subs(dict.fromkeys(slope.free_symbols, 1)) > 0)

    mine = [f for f in facts if f[1].has(r)]
    pairs = [(a, b) for a in mine for b in mine if b[2] and rises(a) != rises(b)]
    for top, bottom in [*pairs, *((top, None) for top in mine)]:
        u = sympy.Symbol(top[0])
        v, below = (sympy.Symbol(bottom[0]), bottom[1]) if bottom else (1, sympy.Integer(1))
        equation = sympy.expand(v * top[1] - u * below)  # linear in r
        slope, rest = equation.coeff(r), equation.subs(r, 0)
        if sympy.expand(equation - slope * r - rest) == 0 and slope != 0:
            yield -rest / slope


def _sympy(q: Q) -> sympy.Expr:
    def poly(p: Mapping[tuple[str, ...], int]) -> sympy.Expr:
        return sympy.Add(*(sympy.Mul(c, *map(sympy.Symbol, m)) for m, c in p.items()))

    return sympy.expand(poly(q.num) / sympy.Mul(*(poly(dict(f)) ** e for f, e in q.den.items())))


def prove_nonnegative(domain: Domain, value: sympy.Expr) -> bool:
    """Whether the checker's sign rule shows value >= 0 on the domain, with some chart."""
    on = Searching(domain.to_json(), [])
    return on.sign(checker.parse(str(sympy.together(value)), on.env, []), False) > 0
