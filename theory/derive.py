"""From orbit chains to values with certificates: times, stationary law, aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy

from theory.certificates import (
    Certificate,
    NoProof,
    by_cases,
    by_splitting,
    certify,
    prove_nonnegative,
)
from theory.chain import Cases, Chains, Move, Orbit, OrbitChain, Row, j, leaves
from theory.conjecture import hitting_times, stationary_law
from theory.domain import Domain, expression, tidy
from theory.factoring import factor, text

Start = tuple[str, str | None]


Values = Mapping[str, sympy.Expr]


def solve(
    chains: Chains, target: str, start: Start, aggregation: Certificate | None = None
) -> tuple[sympy.Expr, Certificate]:
    """Mean time to hit ``target`` from ``start``, and its certificate.

    ``aggregation`` proves, case by case, that the chain is the aggregated one of another.
    """
    general = leaves(chains)[-1]
    values = hitting_times(general, target)
    value = start_value(general, values, start)
    return value, hitting_certificate(chains, target, start, value, values, aggregation)


def hitting_certificate(
    chains: Chains,
    target: str,
    start: Start,
    value: sympy.Expr,
    values: Values,
    aggregation: Certificate | None = None,
) -> Certificate:
    """Certificate that ``value`` is the mean time to hit ``target`` from ``start``.

    ``values`` solve the most general case; a special case that they do not fit is solved anew.
    """
    parts = _leaf_certificates(aggregation) if aggregation else []
    numbers = iter(range(len(parts)))

    def build(chain: OrbitChain) -> Certificate:
        statement = {
            "kind": "mean-hitting-time",
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
            "target": [target],
            "start": list(start),
            "value": str(value),
        }
        try:
            own = {name: text(values[name]) for name in chain.orbits}
            time = certify(statement, [], {"functions": {"f": own}})
        except (KeyError, NoProof):
            own = {name: text(x) for name, x in hitting_times(chain, target).items()}
            time = certify(statement, [], {"functions": {"f": own}})
        if not parts:
            return time
        first = parts[next(numbers)]
        told = {key: first["statement"][key] for key in ("chain", "clusters", "aggregated")}
        full = {**statement, **told, "kind": "aggregated-hitting-time"}
        return certify(full, [first, time])

    return by_cases(chains, build)


def between_certificate(
    chains: Chains, target: str, start: Start, functions: Mapping[str, Values]
) -> Certificate:
    """Certificate of bounds of a mean hitting time.

    Parameters
    ----------
    functions : ``upper``, a supersolution (h >= 0, h >= 1 + P h off the target), and ``lower``, a
        subsolution (h <= 0 on the target, h <= 1 + P h off it), by orbit, in the parameters and j.

    Raises
    ------
    NoProof
        An orbit has no value, or an inequality is not shown.
    """
    general = leaves(chains)[-1]
    for side, values in functions.items():
        missing = set(general.orbits) - set(values)
        if missing:
            raise NoProof(f"the {side} function has no value on {min(missing)}: add it")
    bounds = {side: str(start_value(general, v, start)) for side, v in functions.items()}

    def build(chain: OrbitChain) -> Certificate:
        statement = {
            "kind": "hitting-time-between",
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
            "target": [target],
            "start": list(start),
            **bounds,
        }
        witness = {
            letter: {name: text(functions[side][name]) for name in chain.orbits}
            for letter, side in (("f", "upper"), ("g", "lower"))
        }
        return certify(statement, [], {"functions": witness})

    return by_cases(chains, build)


def _leaf_certificates(certificate: Certificate) -> list[Certificate]:
    if "split" not in certificate["witness"]:
        return [certificate]
    return [leaf for part in certificate["premises"] for leaf in _leaf_certificates(part)]


def start_value(chain: OrbitChain, values: Mapping[str, sympy.Expr], start: Start) -> sympy.Expr:
    """The value of a function on the orbits at the start."""
    name, at = start
    value = values[name] if at is None else values[name].subs(j, expression(at))
    return tidy(value, chain.domain)


def exit_chain(chain: OrbitChain, start: Start, domain: Domain) -> OrbitChain:
    """The chain inside the start's cluster, with all sparse moves leading to ``outside``."""
    name, at = start
    here = None if at is None else expression(at)
    members = [n for n, o in chain.orbits.items() if o.cluster == chain.orbits[name].cluster]
    rows: list[Row] = []
    for member in members:
        for row in chain.rows:
            if row.orbit == member and not _misses(domain, row, here):
                moves = tuple(
                    Move("outside" if m.sparse else m.to, m.probability, sparse=m.sparse)
                    for m in row.moves
                )
                if Row(member, moves) not in rows:
                    rows.append(Row(member, moves))
    one = sympy.Integer(1)
    orbits = {n: Orbit(chain.orbits[n].size, chain.orbits[n].cluster) for n in members}
    rows.append(Row("outside", (Move("outside", one),)))
    return OrbitChain(domain, {**orbits, "outside": Orbit(one, "outside")}, tuple(rows))


def _misses(domain: Domain, row: Row, at: sympy.Expr | None) -> bool:
    """Whether the row certainly does not serve the index."""
    if row.index is None or at is None:
        return False
    first, last = row.index
    return prove_nonnegative(domain, first - at - 1) or prove_nonnegative(domain, at - last - 1)


@dataclass(frozen=True)
class Solved:
    """Stationary law and hitting times of the most general case of a chain."""

    law: tuple[sympy.Expr, ...]
    target: str
    values: Values


def solved(chain: OrbitChain, target: str) -> Solved:
    """Solve one chain for its stationary law and the mean times to hit ``target``."""
    return Solved(tuple(law_of(chain)), target, hitting_times(chain, target))


def return_certificate(chain: OrbitChain, target: str, values: Values) -> Certificate:
    """Certificate of the mean time to return to one state, by the times to hit it."""
    (row,) = (r for r in chain.rows if r.orbit == target)
    after = (m.probability * _at(values[m.to], m.at) for m in row.moves)
    statement = {
        "kind": "return-time",
        "domain": chain.domain.to_json(),
        "chain": chain.to_json(),
        "target": [target],
        "value": str(tidy(1 + sympy.Add(*after), chain.domain)),
    }
    own = {name: text(values[name]) for name in chain.orbits}
    return certify(statement, [], {"functions": {"f": own}})


def law_certificate(
    chain: OrbitChain, solution: Solved, reversal: Sequence[Row] | None = None
) -> Certificate:
    """Certificate of the stationary law of one chain, reversible or not.

    The rows of the time reversal are found where the orbits are finitely many, unless they are
    given.
    """
    try:
        premise = return_certificate(chain, solution.target, solution.values)
    except (KeyError, NoProof):  # the most general solution does not fit a special case
        premise = return_certificate(chain, solution.target, hitting_times(chain, solution.target))
    statement: dict[str, object] = {
        "kind": "stationary",
        "domain": chain.domain.to_json(),
        "chain": chain.to_json(),
        "law": [str(x) for x in solution.law],
    }

    def reversed_by(rows: Sequence[Row]) -> Certificate:
        own = {"reversed": replace(chain, rows=tuple(rows)).to_json()["rows"]}
        return certify({**statement, **own}, [premise])

    if reversal is not None:
        return reversed_by(reversal)
    try:
        return certify(statement, [premise])
    except NoProof:
        if any(o.index for o in chain.orbits.values()):
            remedy = "give the Problem a reversal, the rows of the reversed chain"
            raise NoProof(f"the chain is not reversible: {remedy}") from None
        return reversed_by(_reversed_rows(chain, solution.law))


def _reversed_rows(chain: OrbitChain, law: Sequence[sympy.Expr]) -> tuple[Row, ...]:
    """The rows of the time reversal, P*(y, x) = pi(x) P(x, y)/pi(y), of finitely many orbits."""
    mass = {
        row.orbit: chain.orbits[row.orbit].size * value
        for row, value in zip(chain.rows, law, strict=True)
    }
    back: dict[str, dict[str, sympy.Expr]] = {row.orbit: {} for row in chain.rows}
    for row in chain.rows:
        for move in row.moves:
            here = back[move.to]
            flow = mass[row.orbit] * move.probability / mass[move.to]
            here[row.orbit] = here.get(row.orbit, sympy.Integer(0)) + flow
    return tuple(
        Row(name, tuple(Move(to, factor(p)) for to, p in moves.items()))
        for name, moves in back.items()
    )


def running_sums(chain: OrbitChain, terms: Sequence[sympy.Expr]) -> list[str]:
    """For each row the sum of its term from 1 to j, a polynomial in j (Faulhaber)."""
    sums = []
    for row, term in zip(chain.rows, terms, strict=True):
        if row.index is None or row.index[0] == row.index[1]:
            sums.append("0")
        else:
            sums.append(str(factor(polynomial_sum(term, sympy.Integer(1), j))))
    return sums


def polynomial_sum(value: sympy.Expr, first: sympy.Expr, last: sympy.Expr) -> sympy.Expr:
    """Sum over j from first to last of a polynomial in j (Faulhaber, by Bernoulli polynomials)."""
    total = sympy.Integer(0)
    for (n,), coefficient in sympy.Poly(value, j).terms():
        span = sympy.bernoulli(n + 1, last + 1) - sympy.bernoulli(n + 1, first)
        total += coefficient * span / (n + 1)
    return total


def _at(value: sympy.Expr, at: sympy.Expr | None) -> sympy.Expr:
    return value if at is None else value.subs(j, at)


def law_of(chain: OrbitChain) -> list[sympy.Expr]:
    """Stationary probability of one state, for each row."""
    return [tidy(x, chain.domain) for x in stationary_law(chain)]


# ---------------------------------------------------------------- aggregation
class _Undecided(Exception):
    """Whether an expression in integers is >= 0 depends on the point."""

    def __init__(self, value: sympy.Expr):
        self.value = value


def aggregate(
    chains: Chains, target: str, solution: Solved | None = None
) -> tuple[Chains, Certificate]:
    """The chain of the clusters, A_kl = sum over x in C_k of pi_k(x) P(x, C_l), perhaps by cases.

    Simon and Ando 1961; Courtois 1977.  The certificate contains that of the stationary law.
    """
    if isinstance(chains, Cases):
        parts = [aggregate(part, target, solution) for part in chains.parts]
        tree = Cases(chains.domain, chains.fact, tuple(p[0] for p in parts))
        return tree, _join(tree, [p[1] for p in parts])
    solution = solution or solved(chains, target)
    try:
        meta = _aggregated_chain(chains, solution.law)
    except _Undecided as undecided:
        fact, value = _fact_to_split(chains.domain, undecided.value)
        equal, beyond = chains.domain.split(fact, value)
        split = Cases(chains.domain, fact, (chains.on(equal), chains.on(beyond)))
        return aggregate(split, target, solution)
    statement = {
        "kind": "aggregated-matrix",
        "domain": chains.domain.to_json(),
        "chain": chains.to_json(),
        "clusters": {n: o.cluster for n, o in chains.orbits.items()},
        "aggregated": meta.to_json(),
    }
    return meta, certify(statement, [law_certificate(chains, solution)])


def _join(tree: Cases, parts: list[Certificate]) -> Certificate:
    built = iter(parts)
    return by_cases(
        Cases(tree.domain, tree.fact, tuple(leaves(p)[0] for p in tree.parts)),
        lambda _: next(built),
    )


def _aggregated_chain(chain: OrbitChain, law: Sequence[sympy.Expr]) -> OrbitChain:
    labels = {o.cluster: o.index for o in chain.orbits.values()}
    rows = []
    for label, index in labels.items():
        members = [n for n, o in chain.orbits.items() if o.cluster == label]
        for lo, hi in _ranges(chain, members, index):
            whole, leaving = sympy.Integer(0), dict[tuple[str, sympy.Expr | None], sympy.Expr]()
            for number, row in enumerate(chain.rows):
                if row.orbit not in members or not _serves(chain.domain, row, lo, hi):
                    continue
                mass = chain.orbits[row.orbit].size * law[number]
                whole += mass
                for move in row.moves:
                    if move.sparse:
                        key = chain.orbits[move.to].cluster, move.at
                        leaving[key] = leaving.get(key, sympy.Integer(0)) + mass * move.probability
            moves = [
                Move(to, tidy(flow / whole, chain.domain), at, sparse=True)
                for (to, at), flow in leaving.items()
                if (to, at) != (label, None)
            ]
            stay = tidy(1 - sympy.Add(*(m.probability for m in moves)), chain.domain)
            moves.append(Move(label, stay, None if lo is None else j))
            rows.append(Row(label, tuple(moves), None if lo is None or hi is None else (lo, hi)))
    orbits = {label: Orbit(sympy.Integer(1), label, index) for label, index in labels.items()}
    return OrbitChain(chain.domain, orbits, tuple(rows))


def _ranges(
    chain: OrbitChain, members: Sequence[str], index: tuple[sympy.Expr, sympy.Expr] | None
) -> list[tuple[sympy.Expr | None, sympy.Expr | None]]:
    """Index ranges on which one row serves each member."""
    if index is None:
        return [(None, None)]
    starts = [index[0]]
    for row in chain.rows:
        if row.orbit in members and row.index is not None:
            for n, known in enumerate(starts):
                if _compare(chain.domain, row.index[0], known) == 0:
                    break
                if _compare(chain.domain, row.index[0], known) < 0:
                    starts.insert(n, row.index[0])
                    break
            else:
                if _compare(chain.domain, row.index[0], index[1]) <= 0:
                    starts.append(row.index[0])
    ends = [s - 1 for s in starts[1:]] + [index[1]]
    return list(zip(starts, ends, strict=True))


def _compare(domain: Domain, a: sympy.Expr, b: sympy.Expr) -> int:
    fixed = {sympy.Symbol(k): expression(v) for k, v in domain.values.items()}
    difference = sympy.expand((a - b).subs(fixed))
    if difference == 0:
        return 0
    if prove_nonnegative(domain, difference):
        return 1
    if prove_nonnegative(domain, -difference):
        return -1
    raise _Undecided(difference)


def _serves(domain: Domain, row: Row, lo: sympy.Expr | None, hi: sympy.Expr | None) -> bool:
    if row.index is None or lo is None or hi is None:
        return True
    return prove_nonnegative(domain, lo - row.index[0]) and prove_nonnegative(
        domain, row.index[1] - hi
    )


def _fact_to_split(domain: Domain, value: sympy.Expr) -> tuple[str, dict[str, str]]:
    """The tightest fact a >= 0 with value = a - n or n - a, and a parameter that solves a = 0."""
    fixed = {sympy.Symbol(k): expression(v) for k, v in domain.values.items()}
    found = []
    for fact in domain.all_facts:
        gap = sympy.expand(domain.gap(fact).subs(fixed))
        for offset in (sympy.expand(gap - value), sympy.expand(gap + value)):
            for symbol in sorted(gap.free_symbols, key=str):
                if offset.is_Integer and gap.coeff(symbol) == 1:
                    found.append((abs(offset), fact, {str(symbol): str(symbol - gap)}))
    if not found:
        raise NoProof(f"no case of the domain decides the sign of {value}")
    _, fact, solution = min(found, key=lambda f: f[0])
    return fact, solution


def compare(
    domain: Domain, claims: list[str], premises: list[Certificate], depth: int = 2
) -> Certificate:
    """Certificate of inequalities between the values v0, v1, ... of the premises."""

    def build(part: Domain) -> Certificate:
        statement = {
            "kind": "comparison",
            "domain": part.to_json(),
            "claims": claims,
            "of": [p["statement"] for p in premises],
        }
        return certify(statement, premises)

    return by_splitting(domain, build, depth)
