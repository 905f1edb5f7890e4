"""Composed families: cluster kernel x meta-graph x attachment, and what is derived of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import sympy

from theory import checker
from theory.attachment import Attachment, Gate, Gates, InOut, Transitions
from theory.certificates import Certificate, NoProof, by_cases, certify
from theory.chain import (
    Cases,
    Chains,
    ExplicitChain,
    Move,
    Orbit,
    OrbitChain,
    Place,
    Row,
    State,
    chain_from_json,
    j,
    leaves,
)
from theory.claims import Claim, Derivation, Entry, case_at, last, stated, values_of_rows, where
from theory.composition import H2, R2, Cluster, H, R, at_index, closed, leaving
from theory.conjecture import hitting_times, potential
from theory.derive import (
    compare,
    law_certificate,
    law_of,
    polynomial_sum,
    solve,
    solved,
    start_value,
)
from theory.domain import Domain, Parameter, Point, expression, tidy
from theory.factoring import factor, text
from theory.family import Family, FamilyError, Problem
from theory.kernel import GATE, HOME, Kernel
from theory.meta_graph import MetaGraph
from theory.results.rate import threshold
from theory.spectrum import COSINE, RATIOS, gap_from_orbit, without

# Ranges of epsilon on which bounds are tried, the widest first.
RANGES = (
    (),
    ("2*epsilon <= 1",),
    ("7*epsilon <= 3",),
    ("M*epsilon <= 1",),
    ("7*epsilon <= 3", "M*epsilon <= 1"),
    ("3*epsilon <= 1", "K*epsilon <= 1"),
    ("3*epsilon <= 1", "K*epsilon <= 1", "M*epsilon <= 1"),
    ("4*epsilon <= 1",),
)
i = sympy.Symbol("i")  # the index of a type where that of a cluster is j
Function = Mapping[str, sympy.Expr]
Pair = tuple[Place, Place]  # of an orbit of clusters and a type of states
ARGUMENT = "rho"  # of a generating function
MODE = "mu"  # an eigenvalue of the walk
TIMES = {1: "mean-hitting-time", 2: "second-moment"}


class Composed(Family):
    """A copy of a cluster kernel at each vertex of a meta-graph, tied together by an attachment.

    Parameters
    ----------
    kernel, meta, attachment : the three parts; no two may have a parameter of one name.

    Raises
    ------
    FamilyError
        The attachment does not fit the kernel, or two parts share the name of a parameter.
    """

    def __init__(self, kernel: Kernel, meta: MetaGraph, attachment: Attachment):
        self.kernel, self.meta, self.attachment = kernel, meta, attachment
        self.id = f"{kernel.id}/{meta.id}/{attachment.id}"
        reason = attachment.why_not(kernel)
        if reason:
            raise FamilyError(f"{self.id}: {reason}: choose another attachment")
        self.title = f"{meta.title} of clusters, {kernel.title}, {attachment.title}"
        self.gates = attachment.gates
        inside = attachment.domain(kernel)
        parameters = (*meta.domain.parameters, *inside.parameters)
        names = [p.name for p in parameters]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise FamilyError(f"{self.id}: two parts have a parameter {twice}: rename one")
        self.domain = Domain(parameters, (*meta.domain.facts, *inside.facts))
        self.absent = self._absences()

    def _absences(self) -> Mapping[str, str]:
        """Quantities that are not derived, and why."""
        kernel, meta, attachment = self.kernel, self.meta, self.attachment
        one_gate = attachment.id == Gate.id
        growing = any(o.index for o in kernel.chain().orbits.values())
        reasons = {
            "one way": attachment.one_way
            and "the chain is not reversible: the ways out and in differ",
            "kernel": not kernel.reversible and f"the kernel {kernel.id} is not reversible",
            "gates": attachment.id == Gates.id and "a cluster has several gates",
            "walk": meta.symmetrised and "the walk is not reversible",
            "uniform": not kernel.uniform
            and f"the kernel {kernel.id} does not say that its moves are uniform on its orbits "
            "(uniform)",
            "decoy": not one_gate and f"the attachment {attachment.id} changes the moves inside",
            "alike": not kernel.home_is_any
            and "it needs a kernel whose states are all alike but for the gate (home_is_any)",
            "one gate": not one_gate and f"it needs one gate to a cluster, not {attachment.id}",
            "factor": not meta.exact_gap and "the gap of the walk is known by bounds only",
            "ends": not meta.ends_alike and "no symmetry exchanges start and target",
            "clusters": not meta.clusters_alike and "the clusters are not all alike",
            "equal": attachment.id == InOut.id
            and "the hitting time is that of the clusters at every epsilon",
            "law": (growing and attachment.one_way)
            and "the chain is not reversible, and its orbits grow in number",
        }
        reversible = ("one way", "kernel")
        of_gap = (*reversible, "gates")
        of_blocks = (*reversible, "uniform", "decoy")
        needs = {
            "stationary": ("law",),
            "aggregated-hitting-time": ("law",),
            "hitting-time-bounds": ("law",),
            "hitting-time-bounds-threshold": ("law", "equal"),
            "spectral-gap": of_gap,
            "exact-gap": (*of_blocks, "walk", "factor"),
            "metastable-eigenvalues": of_blocks,
            "pseudo-spectral-gap": of_blocks,
            "metastability-ratio": ("one gate", "alike"),
            "capacity": ("walk", "ends"),
            "conductance": (*of_gap, "walk"),
            "kemeny": ("one gate", "alike", "clusters"),
        }
        found = {
            q: [str(reasons[name]) for name in names if reasons[name]] for q, names in needs.items()
        }
        return {q: why[0] for q, why in found.items() if why}

    @property
    def home(self) -> str:
        """The type of start and target."""
        return self.kernel.home

    @cached_property
    def cluster(self) -> Cluster:
        """The rows of one cluster, with its meta moves."""
        return Cluster(self.attachment.chain(self.kernel), self.home)

    def problems(self) -> tuple[Problem, ...]:
        """The hitting problem of the meta-graph: from its start cluster to its target's."""
        return self.meta.problems()

    def explicit(self, point: Point) -> ExplicitChain:
        """Every state of every cluster."""
        return product_chain(*self.attachment.explicit(self.kernel, point), self.meta.walk(point))

    def states(self, point: Point) -> int:
        """Number of states, without building them."""
        return self.meta.states(point) * self.cluster.chain.states(point)

    def start(self, problem: str, point: Point) -> State:
        """The home of the meta-graph's start."""
        return self.meta.ends(point)[0], self._home(point)

    def target(self, problem: str, point: Point) -> State:
        """The home of the meta-graph's target."""
        return self.meta.ends(point)[1], self._home(point)

    def _home(self, point: Point) -> int:
        """The number of the home state."""
        gates = self.attachment.number_of_gates(point)
        members = sorted({i for pair in self.kernel.explicit(point) for i in pair})
        return next(i for i in members if self.kernel.place(i, point, gates)[0] == self.home)


def product_chain(inside: Transitions, steps: Transitions, walk: Transitions) -> ExplicitChain:
    """A copy of one cluster for each cluster of a walk, tied together by its steps.

    Parameters
    ----------
    inside, steps : moves of a cluster's states, and those that go with a step of the walk.
    walk : the walk's moves to other clusters; what they leave, it stays.
    """
    clusters = sorted({k for pair in walk for k in pair})
    members = sorted({i for pair in (*inside, *steps) for i in pair})
    states = tuple((k, i) for k in clusters for i in members)
    number = {state: n for n, state in enumerate(states)}
    moves: dict[tuple[int, int], Fraction] = {}

    def add(a: State, b: State, p: Fraction) -> None:
        if a != b and p:
            pair = number[a], number[b]
            moves[pair] = moves.get(pair, Fraction(0)) + p

    for k in clusters:
        stay = 1 - sum((w for (a, _), w in walk.items() if a == k), Fraction(0))
        for (a, b), p in inside.items():
            add((k, a), (k, b), p)
        for (a, b), p in steps.items():
            add((k, a), (k, b), p * stay)
    for (k, l), w in walk.items():
        for (a, b), p in steps.items():
            add((k, a), (l, b), p * w)
    return ExplicitChain(states, moves)


class CompositionDerivation(Derivation):
    """Derives the claims of a composed family from those of its parts.

    What concerns one cluster is proved once for every walk on the clusters, in terms of the walk's
    H and R; what concerns the walk is proved on its own rows.
    """

    family: Composed

    @cached_property
    def meta(self) -> Derivation:
        """What is derived of the walk on the clusters."""
        return Derivation(self.family.meta)

    @cached_property
    def recipes(self) -> Mapping[str, Callable[[], Claim]]:
        """Quantity -> how to derive it; the default quantity first."""
        found: dict[str, Callable[[], Claim]] = {
            "hitting-time": partial(self._time, "hitting-time", 1),
            "second-moment": partial(self._time, "second-moment", 2),
            "exit-time": self._exit_time,
            "exit-law": self._exit_law,
            "stationary": self._law,
            "aggregated-hitting-time": self._aggregated_time,
            "hitting-time-bounds": self._bounds,
            "hitting-time-bounds-threshold": lambda: threshold(self).below,
            "spectral-gap": self._spectral_gap,
            "exact-gap": self._exact_gap,
            "metastable-eigenvalues": self._eigenvalues,
            "stochastic-complement": self._complement,
            "pseudo-spectral-gap": self._pseudo_gap,
            "metastability-ratio": self._ratio,
            "capacity": self._capacity,
            "conductance": self._conductance,
            "kemeny": self._kemeny,
        }
        return {name: recipe for name, recipe in found.items() if name not in self.family.absent}

    # ------------------------------------------------------------ the walk on the clusters
    @cached_property
    def problem(self) -> Problem:
        """The hitting problem of the walk."""
        return next(p for p in self.family.meta.problems() if p.name == "")

    @cached_property
    def cases(self) -> Chains:
        """The rows of the walk, by cases if they differ, on the domain of the composition."""
        return _on_larger(self.problem.chains, self.family.domain)

    def _of_walk(self, chain: OrbitChain) -> Certificate:
        """Certificate of the mean hitting time of the walk, in one case."""
        mean = hitting_times(chain, self.problem.target)
        statement = {
            "kind": "mean-hitting-time",
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
            "target": [self.problem.target],
            "start": list(self.problem.start),
            "value": str(start_value(chain, mean, self.problem.start)),
        }
        return certify(statement, [], {"functions": _texts({"f": mean})})

    def moments(self, chain: OrbitChain, moment: int) -> dict[sympy.Symbol, Function]:
        """H, R (and H2, R2) of the walk, by orbit of its clusters."""
        target = self.problem.target
        mean = hitting_times(chain, target)
        functions = {"f": mean}
        if moment == 2:
            zero = {target: sympy.Integer(0)}
            functions["m"] = potential(chain, zero, lambda row: 2 * mean[row.orbit] - 1)
        (row,) = (r for r in chain.rows if r.orbit == target)
        after = {
            name: sympy.Add(*(m.probability * at_index(f[m.to], m.at) for m in row.moves))
            for name, f in functions.items()
        }
        found: dict[sympy.Symbol, Function] = {H: mean, R: dict.fromkeys(mean, 1 + after["f"])}
        if moment == 2:
            back = 1 + 2 * after["f"] + after["m"]
            found |= {H2: functions["m"], R2: dict.fromkeys(mean, back)}
        return found

    # ------------------------------------------------------------ times
    def functions(
        self, chain: OrbitChain, moment: int, target: str
    ) -> dict[str, dict[str, sympy.Expr]]:
        """First (and second) moments of the time to a type in the walk's target cluster."""
        cluster = self.family.cluster
        if target != cluster.target:
            cluster = Cluster(cluster.chain, target)
        times = {"f": cluster.mean, **({"m": cluster.second} if moment == 2 else {})}
        walk, found = self.moments(chain, moment), dict[str, dict[str, sympy.Expr]]()
        for name, time in times.items():
            found[name] = {}
            for a, cluster_orbit in chain.orbits.items():
                own = {symbol: values[a] for symbol, values in walk.items()}
                values = time.home if a == self.problem.target else time.away
                for b, value in values.items():
                    inner = value.subs(j, i) if cluster_orbit.index else value
                    found[name][f"{a}.{b}"] = factor(inner.subs(own))
        return found

    def _time(self, quantity: str, moment: int) -> Claim:
        cluster, home, (start, at) = self.family.cluster, self.family.home, self.problem.start
        general = leaves(self.cases)[-1]
        found = self.functions(general, moment, home)
        last = list(found.values())[-1][f"{start}.{home}"]
        value = tidy(at_index(last, None if at is None else expression(at)), self.family.domain)

        def build(chain: OrbitChain) -> Certificate:
            statement = {
                "kind": TIMES[moment],
                "domain": chain.domain.to_json(),
                "chain": product(cluster.chain, chain),
                "target": [f"{self.problem.target}.{home}"],
                "start": [f"{start}.{home}", at],
                "value": str(value),
            }
            functions = found if chain is general else self.functions(chain, moment, home)
            return certify(statement, [], {"functions": _texts(functions)})

        certificate = by_cases(self.cases, build)
        return self._new(quantity, self.family.domain, certificate, expression=value)

    # ------------------------------------------------------------ leaving a cluster
    def _leaving(self) -> OrbitChain:
        return leaving_rows(self.family.cluster.chain).on(self.family.domain)

    def _exit_time(self) -> Claim:
        value, certificate = solve(self._leaving(), "outside", (self.family.home, None))
        return self._new("exit-time", self.family.domain, certificate, expression=value)

    def _exit_law(self) -> Claim:
        """E[rho^tau] for the time to leave the cluster."""
        s = Parameter(ARGUMENT, (f"{ARGUMENT} > 0", f"{ARGUMENT} < 1"), "argument", integer=False)
        inside, home = self._leaving(), self.family.home
        domain = Domain((*self.family.domain.parameters, s), self.family.domain.facts)
        chain, zero = inside.on(domain), sympy.Integer(0)
        law = potential(
            chain, {"outside": sympy.Integer(1)}, lambda _: zero, sympy.Symbol(ARGUMENT)
        )
        value = tidy(law[home], domain)
        statement = {
            "kind": "generating-function",
            "domain": domain.to_json(),
            "chain": chain.to_json(),
            "target": ["outside"],
            "start": [home, None],
            "s": ARGUMENT,
            "value": str(value),
        }
        times = hitting_times(chain, "outside")
        certificate = certify(statement, [], {"functions": _texts({"f": times, "m": law})})
        return self._new("exit-law", domain, certificate, expression=value)

    # ------------------------------------------------------------ stationary law, aggregation
    def _law(self) -> Claim:
        inside = law_of_chain(self.family.cluster.inside)
        reversal = self.problem.reversal
        walks = iter([law_of_chain(chain, reversal) for chain in leaves(self.problem.chains)])

        def build(chain: OrbitChain) -> Certificate:
            walk = next(walks)
            statement = {
                "kind": "composed-law",
                "domain": chain.domain.to_json(),
                "chain": self.family.cluster.chain.to_json(),
                "law": inside["statement"]["law"],
                "walk": walk["statement"]["chain"],
                "outer": walk["statement"]["law"],
            }
            return certify(statement, [inside, walk])

        certificate = by_cases(self.cases, build)
        entries = product_entries(certificate["statement"], self.family.domain)
        return self._new("stationary", self.family.domain, certificate, entries=entries)

    def _aggregated_time(self) -> Claim:
        """T_A: the aggregated chain is A = I + (W - I)/a, with a the mean time between steps."""
        cluster = self.family.cluster
        inside = law_of_chain(cluster.inside)
        times = [self._of_walk(c) for c in leaves(self.problem.chains)]
        time, walks = expression(times[-1]["statement"]["value"]), iter(times)
        value = tidy(cluster.step * time, self.family.domain)

        def build(chain: OrbitChain) -> Certificate:
            statement = {
                "kind": "composed-aggregated",
                "domain": chain.domain.to_json(),
                "chain": cluster.chain.to_json(),
                "walk": chain.to_json(),
                "target": [self.problem.target],
                "start": list(self.problem.start),
                "value": str(value),
            }
            return certify(statement, [inside, next(walks)])

        certificate = by_cases(self.cases, build)
        return self._new(
            "aggregated-hitting-time", self.family.domain, certificate, expression=value
        )

    def _bounds(self) -> Claim:
        """c1 T_A <= E[tau] <= c2 T_A on the first range where pure numbers are proved."""
        time, meta = self.claim("hitting-time"), self.claim("aggregated-hitting-time")
        assert meta.expression is not None
        premises = [time.certificate, meta.certificate]

        def within(factor: str, domain: Domain) -> tuple[str, Certificate]:
            return factor, compare(domain, ["v0 >= 1*v1", f"v0 <= {factor}*v1"], premises, 0)

        ranges = self._ranges(self.family.domain)
        for facts in ranges:
            domain = self.family.domain.where(*facts)
            try:  # the weakest first: on most ranges it fails
                upper, proof = within("4", domain)
            except NoProof as error:
                failed = "E[tau] >= T_A" if ">=" in str(error) else "E[tau] <= 4 T_A"
                continue
            for tighter in ("3/2", "2", "3"):
                with suppress(NoProof):
                    upper, proof = within(tighter, domain)
                    break
            bounds = {"lower": meta.expression, "upper": expression(upper) * meta.expression}
            return self._new("hitting-time-bounds", domain, proof, **bounds)
        raise NoProof(
            f"{failed} is not shown on any of the ranges tried: {_listed(ranges)}: a kernel may "
            "name ranges of its own"
        )

    def _ranges(self, domain: Domain) -> tuple[tuple[str, ...], ...]:
        """Ranges on which bounds are tried, of what they say of the parameters of a domain."""
        names = {p.name for p in domain.parameters}

        def spoken(fact: str) -> bool:
            return {str(x) for x in domain.gap(fact).free_symbols} <= names

        found = (*self.family.kernel.ranges, *RANGES)
        return tuple(dict.fromkeys(tuple(filter(spoken, facts)) for facts in found))

    # ------------------------------------------------------------ spectral gap
    def _spectral_gap(self) -> Claim:
        """From the walk's gap and the time to reach the gate in one cluster.

        The upper bound is the gap of the chain of the clusters.  With kappa = 1/(the longest mean
        time to the gate) the lower one is 1/(1/kappa + 1/upper), within a factor 1 + upper/kappa.
        """
        cluster, family = self.family.cluster, self.family
        law = law_of_chain(cluster.inside)
        if "reversed" in law["statement"]:
            raise NoProof("the chain of one cluster is not reversible")
        try:
            kappa = gap_from_orbit(cluster.inside, GATE)
        except NoProof as error:
            raise NoProof("no bound of the mean times to the gate is proved") from error
        below, above, _ = self.meta.gap_bounds
        number = next(n for n, row in enumerate(cluster.chain.rows) if row.orbit == GATE)
        flow = cluster.law[number] * leaving(cluster.chain.rows[number])
        rate, low, high = (expression(p["statement"]["value"]) for p in (kappa, below, above))
        known = family.domain
        if "c" in below["statement"]["domain"]["reals"]:
            known = Domain((*known.parameters, COSINE), known.facts)
        lower = tidy(1 / (1 / rate + 1 / (flow * low)), known)
        upper = tidy(flow * high, known)
        ranges = self._ranges(family.domain.without(family.meta.drop))
        for facts in ranges:
            domain = self._of_gap(below, *facts)
            for ratio in RATIOS:
                statement = {
                    "kind": "composed-gap",
                    "domain": domain.to_json(),
                    "chain": cluster.chain.to_json(),
                    "pivot": GATE,
                    "lower": str(lower),
                    "upper": str(upper),
                    "ratio": ratio,
                    "walk": below["statement"]["chain"],
                }
                try:
                    self._gap_certificate = certify(statement, [kappa, law, below, above])
                except NoProof as error:
                    failure = error
                    continue
                certificate = self._whatever(self._gap_certificate, facts)
                free = family.domain.without(family.meta.drop).where(*facts)
                return self._new("spectral-gap", free, certificate, **stated(statement))
        if "ratio*lower - upper" not in str(failure):
            raise failure
        raise NoProof(
            f"the bounds of the gap are not shown to be within a factor of {RATIOS[-1]} on any of "
            f"the ranges tried: {_listed(ranges)}"
        )

    def _of_gap(self, below: Certificate, *facts: str) -> Domain:
        """The domain on which the gap of the walk is bounded, with the parameters it needs."""
        family, chosen = self.family, self._chosen
        domain = family.domain.where(*chosen) if chosen else family.domain.without(family.meta.drop)
        domain = domain.where(*facts)
        if "c" in below["statement"]["domain"]["reals"]:
            domain = Domain((*domain.parameters, COSINE), domain.facts)
        return domain

    @property
    def _chosen(self) -> tuple[str, ...]:
        """Facts that choose a parameter of which the gap of the walk does not depend."""
        meta = self.family.meta
        return meta.pivot.facts if meta.pivot and meta.drop and not meta.cyclic else ()

    def _whatever(self, certificate: Certificate, more: Sequence[str] = ()) -> Certificate:
        """The certificate without the parameter that these facts choose."""
        if not self._chosen:
            return certificate
        return without(self.family.meta.drop, self.family.domain, certificate, self._chosen, more)

    # ------------------------------------------------------------ blocks of two classes
    @cached_property
    def two_classes(self) -> OrbitChain:
        """The gate and the rest of a cluster."""
        return gate_and_rest(self.family.cluster.chain)

    def _root(self, mode: sympy.Expr) -> dict[str, str]:
        """Sum and product of the values 1 - x of a mode's roots x."""
        chain = self.two_classes
        p = {(row.orbit, m.to, m.meta): m.probability for row in chain.rows for m in row.moves}
        a, b = chain.orbits
        top = p[a, a, False] + p[a, a, True] * mode
        total = top + p[b, b, False]
        product = top * p[b, b, False] - p[a, b, False] * p[b, a, False]
        values = {"b": 2 - total, "c2": 1 - total + product}
        return {name: str(tidy(x, chain.domain)) for name, x in values.items()}

    def _exact_gap(self) -> Claim:
        """The gap where that of the walk is known exactly."""
        below, above, _ = self.meta.gap_bounds
        gap = below["statement"]["value"]
        mode = 1 - expression(gap)
        common = {
            "domain": self._of_gap(below).to_json(),
            "chain": self.two_classes.to_json(),
            "pivot": GATE,
            **self._root(mode),
        }
        law = law_of_chain(closed(self.two_classes))
        slow = certify({**common, "kind": "composed-mode", "mode": str(mode)}, [law])
        walk = below["statement"]["chain"]
        statement = {**common, "kind": "composed-root", "walk": walk, "gap": gap}
        proof = self._whatever(certify(statement, [slow, below, above]))
        free = self.family.domain.without(self.family.meta.drop)
        return self._new("exact-gap", free, proof, **stated(statement))

    def _eigenvalues(self) -> Claim:
        """1 - lambda for the K metastable eigenvalues lambda, one for each eigenvalue of W."""
        chain = self.two_classes.on(self.family.domain)
        mode = Parameter(MODE, (f"{MODE} >= -1", f"{MODE} < 1"), "eigenvalue of W", integer=False)
        domain = Domain((*chain.domain.parameters, mode), chain.domain.facts)
        statement = {
            "kind": "composed-mode",
            "domain": domain.to_json(),
            "chain": chain.to_json(),
            "pivot": GATE,
            "mode": MODE,
            **self._root(sympy.Symbol(MODE)),
        }
        proof = certify(statement, [law_of_chain(closed(chain))])
        return self._new("metastable-eigenvalues", domain, proof, **stated(statement))

    def _pseudo_gap(self) -> Claim:
        chain = self.two_classes.on(self.family.domain)
        inside = closed(chain)
        trace = sympy.Add(*(m.probability for r in inside.rows for m in r.moves if m.to == r.orbit))
        value = tidy(1 - (trace - 1) ** 2, chain.domain)
        statement = {
            "kind": "pseudo-gap",
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
            "value": str(value),
        }
        proof = certify(statement, [law_of_chain(inside)])
        return self._new("pseudo-spectral-gap", chain.domain, proof, expression=value)

    # ------------------------------------------------------------ one cluster, and its gate
    def _complement(self) -> Claim:
        """The chain watched on one cluster."""
        chain = merged(self.family.cluster.chain.on(self.family.domain))
        statement = {
            "kind": "stochastic-complement",
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
        }
        entries = complement_entries(statement, chain.domain)
        proof = certify(statement)
        return self._new("stochastic-complement", chain.domain, proof, entries=entries)

    def _ratio(self) -> Claim:
        """R5, with the gates for the representatives."""
        cluster, family = self.family.cluster, self.family
        zero = sympy.Integer(0)
        f = potential(cluster.chain, {GATE: sympy.Integer(1), HOME: zero}, lambda _: zero)
        home = next(r for r in cluster.chain.rows if r.orbit == HOME)
        gate = next(r for r in cluster.chain.rows if r.orbit == GATE)
        mean = sympy.Add(*(m.probability * at_index(f[m.to], m.at) for m in home.moves))
        value = tidy(leaving(gate) / mean, family.domain)
        statement = {
            "kind": "metastability-ratio",
            "domain": family.domain.to_json(),
            "chain": cluster.chain.to_json(),
            "pivot": GATE,
            "home": HOME,
            "value": str(value),
        }
        _, reach = solve(cluster.inside.on(family.domain), GATE, (HOME, None))
        proof = certify(statement, [reach], {"functions": _texts({"f": f})})
        return self._new("metastability-ratio", family.domain, proof, expression=value)

    # ------------------------------------------------------------ from other claims
    def _capacity(self) -> Claim:
        """cap(start, target) = 1/(2 E) where a symmetry exchanges the two."""
        time = self.claim("hitting-time")
        assert time.expression is not None
        value = tidy(1 / (2 * time.expression), self.family.domain)
        statement = {
            "kind": "capacity",
            "domain": self.family.domain.to_json(),
            **{k: time.statement[k] for k in ("chain", "target", "start")},
            "value": str(value),
        }
        proof = certify(statement, [time.certificate])
        return self._new("capacity", self.family.domain, proof, expression=value)

    def _conductance(self) -> Claim:
        """Cheeger's bound from below; the cut around one cluster from above."""
        gap, family, cluster = self.claim("spectral-gap"), self.family, self.family.cluster
        told = self._gap_certificate["statement"]
        assert gap.lower is not None
        rate = tidy(1 / cluster.step, self.family.domain)
        half = f"({told['lower']})/2"
        statement = {
            "kind": "conductance",
            "domain": told["domain"],
            "chain": told["chain"],
            "walk": told["walk"],
            "lower": half,
            "upper": str(rate),
        }
        proof = certify(statement, [self._gap_certificate, law_of_chain(cluster.inside)])
        proof = self._whatever(proof, [f for f in gap.domain.facts if f not in family.domain.facts])
        return self._new("conductance", gap.domain, proof, lower=gap.lower / 2, upper=rate)

    def _kemeny(self) -> Claim:
        """Kemeny's constant, where all clusters are alike and all states but the gates."""
        family, cluster = self.family, self.family.cluster
        chain = self.problem.chains
        assert isinstance(chain, OrbitChain)
        chain, here = chain.on(family.domain), self.problem.target
        walk_law, law = law_of(chain), law_of(cluster.inside)
        rows = product(cluster.chain, chain)
        weights = [p * q for p in walk_law for q in law]
        goals = [f"{here}.{name}" for name in (GATE, HOME)]
        base = {"domain": family.domain.to_json(), "chain": rows}
        functions = [self.functions(chain, 1, name) for name in (GATE, HOME)]
        back = 1 + sum(
            expression(p) * at_index(functions[0]["f"][to], None if at is None else expression(at))
            for r in rows["rows"]
            for to, at, p in r["to"]
            if r["from"] == goals[0]
        )
        reach = certify(
            base | {"kind": "return-time", "target": goals[:1], "value": str(factor(back))},
            [],
            {"functions": _texts(functions[0])},
        )
        stationary = base | {"kind": "stationary", "law": [str(x) for x in weights]}
        if self.problem.reversal:
            back_rows = product(cluster.chain, replace(chain, rows=tuple(self.problem.reversal)))
            stationary["reversed"] = back_rows["rows"]
        premises, values = [certify(stationary, [reach])], []
        for goal, f in zip(goals, functions, strict=True):
            terms, sums = [], sympy.Integer(0)
            for row, weight in zip(rows["rows"], weights, strict=True):
                size = expression(rows["classes"][row["from"]]["size"])
                terms.append(weight * size * f["f"][row["from"]])
                ends = [expression(x) for x in row["index"] or ()]
                sums += polynomial_sum(terms[-1], *ends) if ends else terms[-1]
            values.append(tidy(sums, family.domain))
            running = [
                str(polynomial_sum(x, sympy.Integer(1), j)) if r["index"] else "0"
                for x, r in zip(terms, rows["rows"], strict=True)
            ]
            told = base | {"kind": "time-from-law", "target": [goal], "value": str(values[-1])}
            witness = {"functions": _texts(f), "sums": {"mean": running}}
            premises.append(certify(told, premises[:1], witness))
        number = next(n for n, r in enumerate(cluster.chain.rows) if r.orbit == GATE)
        share = law[number]
        value = tidy(share * values[0] + (1 - share) * values[1], family.domain)
        statement = {
            **base,
            "kind": "kemeny",
            "target": goals[:1],
            "home": goals[1:],
            "count": str(tidy(1 / walk_law[0], family.domain)),
            "value": str(value),
        }
        sums = {"share": ["0"] * len(rows["rows"])}
        proof = certify(statement, premises, {"sums": sums})
        return self._new("kemeny", family.domain, proof, expression=value)


def product(cluster: OrbitChain, walk: OrbitChain) -> dict[str, Any]:
    """The rows of clusters x types: a meta move takes the cluster a step of the walk.

    The index of a cluster is j, that of a type is j as well, or i where both have one.
    """

    def name(a: str, b: str) -> str:
        return f"{a}.{b}"

    def flat(*parts: Any) -> Any:
        found = [str(x) for part in parts if part is not None for x in part]
        return found or None

    def place(a: sympy.Expr | None, b: sympy.Expr | None) -> Any:
        found = [str(x) for x in (a, b) if x is not None]
        return found if len(found) > 1 else found[0] if found else None

    def own(x: Any, of: Orbit) -> Any:
        return x.subs(j, i) if x is not None and of.index else x

    classes, rows = {}, []
    for a, outer in walk.orbits.items():
        for b, inner in cluster.orbits.items():
            index = flat(outer.index, inner.index)
            size = factor(outer.size * inner.size)
            classes[name(a, b)] = {"size": str(size), "index": index}
    for step in walk.rows:
        outer = walk.orbits[step.orbit]
        stay = None if outer.index is None else j
        for row in cluster.rows:
            to: list[Any] = []
            for m in row.moves:
                p, at = own(m.probability, outer), own(m.at, outer)
                if not m.meta:
                    to.append([name(step.orbit, m.to), place(stay, at), str(p)])
                    continue
                for w in step.moves:
                    both = factor(p * w.probability)
                    to.append([name(w.to, m.to), place(w.at, at), str(both)])
            index = flat(step.index, row.index)
            rows.append({"from": name(step.orbit, row.orbit), "index": index, "to": to})
    return {"classes": classes, "rows": rows}


def _on_larger(chains: Chains, domain: Domain) -> Chains:
    """The same cases on a domain with more parameters."""
    if isinstance(chains, OrbitChain):
        return chains.on(domain)
    bare = tuple(replace(p, facts=()) for p in domain.parameters)
    kept = [fact for fact in domain.all_facts if fact != chains.fact]
    parts = []
    for part in chains.parts:
        more = [f for f in part.domain.all_facts if f not in chains.domain.all_facts]
        smaller = Domain(bare, (*kept, *more), {**domain.values, **part.domain.values})
        parts.append(_on_larger(part, smaller))
    return Cases(domain, chains.fact, tuple(parts))


def merged(chain: OrbitChain) -> OrbitChain:
    """The same rows, several moves to one orbit taken together."""

    def once(row: Row) -> Row:
        moves: dict[Any, Move] = {}
        for m in row.moves:
            key = m.to, m.at, m.meta
            if key in moves:
                m = replace(m, probability=factor(moves[key].probability + m.probability))
            moves[key] = m
        return replace(row, moves=tuple(moves.values()))

    return replace(chain, rows=tuple(map(once, chain.rows)))


def leaving_rows(chain: OrbitChain) -> OrbitChain:
    """The rows of one cluster, with all meta moves leading outside."""
    rows = tuple(
        replace(r, moves=tuple(Move("outside", m.probability) if m.meta else m for m in r.moves))
        for r in chain.rows
    )
    outside = Row("outside", (Move("outside", sympy.Integer(1)),))
    orbits = {**chain.orbits, "outside": Orbit(sympy.Integer(1), "outside")}
    return OrbitChain(chain.domain, orbits, (*rows, outside))


def gate_and_rest(chain: OrbitChain) -> OrbitChain:
    """The lumping of a cluster to its gate and the rest.

    Raises
    ------
    NoProof
        Two classes beside the gate have other rows.
    """
    rest = [name for name in chain.orbits if name != GATE]
    rows: dict[str, dict[tuple[str, bool], sympy.Expr]] = {}
    for row in chain.rows:
        moves: dict[tuple[str, bool], sympy.Expr] = {}
        for m in row.moves:
            key = GATE if m.to == GATE else "rest", m.meta
            moves[key] = factor(moves.get(key, sympy.Integer(0)) + m.probability)
        name = GATE if row.orbit == GATE else "rest"
        if rows.setdefault(name, moves) != moves or row.index is not None:
            raise NoProof("the states of a cluster other than the gate are not all alike")
    size = factor(sympy.Add(*(chain.orbits[name].size for name in rest)))
    orbits = {GATE: chain.orbits[GATE], "rest": Orbit(size, "cluster")}
    found = tuple(
        Row(name, tuple(Move(to, p, meta=meta) for (to, meta), p in moves.items()))
        for name, moves in rows.items()
    )
    return OrbitChain(chain.domain, orbits, found)


def _listed(ranges: Sequence[tuple[str, ...]]) -> str:
    """Ranges for people."""
    return "; ".join(", ".join(facts) or "all of the domain" for facts in ranges)


def complement_entries(statement: Mapping[str, Any], domain: Domain) -> tuple[Entry, ...]:
    """The transition probabilities of the chain watched on one cluster, by class."""
    entries: dict[tuple[str, ...], sympy.Expr] = {}
    for r in chain_from_json(domain, statement["chain"]).rows:
        for m in r.moves:
            ends = where(r), checker.place(m.to, None if m.at is None else str(m.at))
            before = entries.get(ends)
            entries[ends] = (
                m.probability if before is None else tidy(before + m.probability, domain)
            )
    return tuple(Entry(ends, p) for ends, p in entries.items())


def product_law_at(claim: Claim, point: Point) -> dict[Pair, Fraction]:
    """Stationary probability of one state, by orbit of its cluster and by type."""
    s = case_at(claim.certificate, point)["statement"]
    walk, types = (
        values_of_rows(chain_from_json(claim.domain, rows), law, point)
        for rows, law in ((s["walk"], s["outer"]), (s["chain"], s["law"]))
    )
    return {(a, b): p * q for a, p in walk.items() for b, q in types.items()}


def law_of_chain(chain: OrbitChain, reversal: Sequence[Row] = ()) -> Certificate:
    """Certificate of the stationary law of a chain, reversible or not."""
    target = next(n for n, o in chain.orbits.items() if o.size == 1 and o.index is None)
    return law_certificate(chain, solved(chain, target), reversal or None)


def product_entries(statement: Mapping[str, Any], domain: Domain) -> tuple[Entry, ...]:
    """The probability of one state of a type in one cluster, for each pair of rows."""
    parts = [
        (chain_from_json(domain, last(statement[c])), [expression(x) for x in last(statement[law])])
        for c, law in (("walk", "outer"), ("chain", "law"))
    ]
    (walk, outer), (cluster, inner) = parts
    return tuple(
        Entry((where(a), where(b)), tidy(p * q, domain))
        for a, p in zip(walk.rows, outer, strict=True)
        for b, q in zip(cluster.rows, inner, strict=True)
    )


def _texts(functions: Mapping[str, Mapping[str, sympy.Expr]]) -> dict[str, dict[str, str]]:
    return {f: {name: text(x) for name, x in values.items()} for f, values in functions.items()}
