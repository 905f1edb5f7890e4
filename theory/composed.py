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
    leaves,
)
from theory.claims import Claim, Derivation, Entry, values_of_rows, where
from theory.composition import H2, R2, Cluster, H, R, at_index, closed, leaving
from theory.conjecture import hitting_times, potential
from theory.derive import Solved, compare, law_of, reversible, solve, start_value
from theory.domain import Domain, Parameter, Point, domain_from_json, expression, tidy
from theory.family import Family, FamilyError, Problem
from theory.kernel import GATE, HOME, Kernel
from theory.meta_graph import MetaGraph
from theory.results.rate import threshold
from theory.spectrum import COSINE, RATIOS, gap_from_orbit, power_sum

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
            and f"the moves of the kernel {kernel.id} are not uniform on its orbits (uniform)",
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

    def _of_walk(self, kind: str, chain: OrbitChain) -> Certificate:
        """Certificate of a moment of the walk's hitting or return time, in one case."""
        target = self.problem.target
        mean = hitting_times(chain, target)
        functions = {"f": mean}
        if "second" in kind:
            zero = {target: sympy.Integer(0)}
            functions["m"] = potential(chain, zero, lambda row: 2 * mean[row.orbit] - 1)
        last = functions["m" if "m" in functions else "f"]
        if kind.startswith("return"):
            (row,) = (r for r in chain.rows if r.orbit == target)
            after = {
                name: sympy.Add(*(m.probability * at_index(f[m.to], m.at) for m in row.moves))
                for name, f in functions.items()
            }
            value = 1 + (2 * after["f"] + after["m"] if "m" in after else after["f"])
            ends = {}
        else:
            value = start_value(chain, last, self.problem.start)
            ends = {"start": list(self.problem.start)}
        statement = {
            "kind": kind,
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
            "target": [target],
            **ends,
            "value": str(tidy(value, chain.domain)),
        }
        return certify(statement, [], {"functions": _texts(functions)})

    # ------------------------------------------------------------ times
    def _of_cluster(self, moment: int, start: str = "", target: str = "") -> Certificate:
        """Certificate of a moment of the hitting time, for every walk; from home to home."""
        start, target = start or self.family.home, target or self.family.home
        cluster = self.family.cluster
        if target != cluster.target:
            cluster = Cluster(cluster.chain, target)
        times = {"f": cluster.mean, **({"m": cluster.second} if moment == 2 else {})}
        names = ("H", "R", "H2", "R2")[: 2 * moment]
        moments = (Parameter(name, (f"{name} >= 1",), "", integer=False) for name in names)
        domain = Domain((*cluster.chain.domain.parameters, *moments), cluster.chain.domain.facts)
        statement = {
            "kind": TIMES[moment],
            "domain": domain.to_json(),
            "chain": cluster.chain.to_json(),
            "target": [target],
            "start": [start, None],
            "value": str(list(times.values())[-1].away[start]),
        }
        witness = {
            "functions": _texts({name: t.home for name, t in times.items()}),
            "away": _texts({name: t.away for name, t in times.items()}),
        }
        return certify(statement, [], witness)

    def _time(self, quantity: str, moment: int) -> Claim:
        first = self._of_cluster(moment)
        kinds = ["mean-hitting-time", "return-time"]
        if moment == 2:
            kinds += ["second-moment", "return-second-moment"]
        own = [[self._of_walk(kind, c) for kind in kinds] for c in leaves(self.problem.chains)]
        general, walks = [expression(p["statement"]["value"]) for p in own[-1]], iter(own)
        moments = dict(zip((H, R, H2, R2), general, strict=False))
        value = tidy(expression(first["statement"]["value"]).subs(moments), self.family.domain)

        def build(chain: OrbitChain) -> Certificate:
            ends = {"target": [self.problem.target], "start": list(self.problem.start)}
            statement = {
                **first["statement"],
                "domain": chain.domain.to_json(),
                "meta": {"chain": chain.to_json(), **ends},
                "value": str(value),
            }
            return certify(statement, [first, *next(walks)])

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
                "meta": {key: walk["statement"][key] for key in ("chain", "law")},
            }
            return certify(statement, [inside, walk])

        certificate = by_cases(self.cases, build)
        entries = product_entries(certificate["statement"], self.family.domain)
        return self._new("stationary", self.family.domain, certificate, entries=entries)

    def _aggregated_time(self) -> Claim:
        """T_A: the aggregated chain is A = I + (W - I)/a, with a the mean time between steps."""
        cluster = self.family.cluster
        inside = law_of_chain(cluster.inside)
        times = [self._of_walk("mean-hitting-time", c) for c in leaves(self.problem.chains)]
        time, walks = expression(times[-1]["statement"]["value"]), iter(times)
        value = tidy(cluster.step * time, self.family.domain)

        def build(chain: OrbitChain) -> Certificate:
            ends = {"target": [self.problem.target], "start": list(self.problem.start)}
            statement = {
                "kind": "composed-aggregated",
                "domain": chain.domain.to_json(),
                "chain": cluster.chain.to_json(),
                "meta": {"chain": chain.to_json(), **ends},
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
        raise NoProof(f"{failed} is not shown on any of the ranges tried: {_listed(ranges)}")

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
        kappa = gap_from_orbit(cluster.inside, GATE)
        below, above, _ = self.meta.gap_bounds
        number = next(n for n, row in enumerate(cluster.chain.rows) if row.orbit == GATE)
        flow = cluster.law[number] * leaving(cluster.chain.rows[number])
        rate, low, high = (
            expression(checker.conclusion(p["statement"])["value"]) for p in (kappa, below, above)
        )
        by_cosine = "c" in below["statement"]["domain"]["reals"]
        known = family.domain
        if by_cosine:
            known = Domain((*known.parameters, COSINE), known.facts)
        lower = tidy(1 / (1 / rate + 1 / (flow * low)), known)
        upper = tidy(flow * high, known)
        free = family.domain.without(family.meta.drop)
        ranges = self._ranges(free)
        for facts in ranges:
            domain = free.where(*facts)
            if by_cosine:
                domain = Domain((*domain.parameters, COSINE), domain.facts)
            for ratio in RATIOS:
                statement = {
                    "kind": "composed-gap",
                    "domain": domain.to_json(),
                    "chain": cluster.chain.to_json(),
                    "pivot": GATE,
                    "lower": str(lower),
                    "upper": str(upper),
                    "ratio": ratio,
                    "meta": checker.chains(below["statement"]),
                    **({"even": "yes"} if family.meta.even else {}),
                    **({"symmetrised": "yes"} if family.meta.symmetrised else {}),
                }
                try:
                    certificate = certify(statement, [kappa, law, below, above])
                except NoProof as error:
                    failure = error
                    continue
                cosine = {sympy.Symbol("c"): sympy.cos(2 * sympy.pi / sympy.Symbol("K"))}
                return self._new(
                    "spectral-gap",
                    domain.without(["c"]),
                    certificate,
                    lower=lower.subs(cosine),
                    upper=upper.subs(cosine),
                )
        if "further apart" not in str(failure):
            raise failure
        raise NoProof(
            f"the bounds of the gap are not shown to be within a factor of {RATIOS[-1]} on any of "
            f"the ranges tried: {_listed(ranges)}"
        )

    # ------------------------------------------------------------ blocks of two classes
    @cached_property
    def two_classes(self) -> OrbitChain:
        """The gate and the rest of a cluster."""
        return gate_and_rest(self.family.cluster.chain)

    def _root(self, mode: sympy.Expr) -> tuple[str, str, str]:
        """Twice the mean, the product, and the smaller of the values 1 - x of a mode's roots x."""
        chain = self.two_classes
        p = {(row.orbit, m.to, m.meta): m.probability for row in chain.rows for m in row.moves}
        a, b = chain.orbits
        top = p[a, a, False] + p[a, a, True] * mode
        total = top + p[b, b, False]
        product = top * p[b, b, False] - p[a, b, False] * p[b, a, False]
        twice, both = (str(tidy(x, chain.domain)) for x in (2 - total, 1 - total + product))
        return twice, both, f"(({twice}) - sqrt(({twice})**2 - 4*({both})))/2"

    def _exact_gap(self) -> Claim:
        """The gap where that of the walk is known exactly."""
        walk = self.meta.claim("spectral-gap")
        *_, root = self.meta.gap_bounds
        certificate = root or walk.certificate
        told = checker.conclusion(certificate["statement"])
        mode = sympy.Integer(1) - expression(told["value"])
        b, c, value = self._root(mode)
        domain = self.family.domain.without(self.family.meta.drop)
        if "c" in certificate["statement"]["domain"]["reals"]:
            domain = Domain((*domain.parameters, COSINE), domain.facts)
        statement = {
            "kind": "composed-root",
            "domain": domain.to_json(),
            "chain": self.two_classes.to_json(),
            "mode": str(mode),
            "b": b,
            "c": c,
            "value": value,
            "quantity": "gap",
            "meta": told.get("chains") or checker.chains(certificate["statement"]),
            **({"even": "yes"} if self.family.meta.even else {}),
        }
        law = law_of_chain(closed(self.two_classes))
        proof = certify(statement, [law, certificate])
        cosine = {sympy.Symbol("c"): sympy.cos(2 * sympy.pi / sympy.Symbol("K"))}
        exact = expression(value).subs(cosine)
        return self._new("exact-gap", domain.without(["c"]), proof, expression=exact)

    def _eigenvalues(self) -> Claim:
        """1 - lambda for the K metastable eigenvalues lambda, one for each eigenvalue of W."""
        chain = self.two_classes.on(self.family.domain)
        mode = Parameter(MODE, (f"{MODE} >= -1", f"{MODE} < 1"), "eigenvalue of W", integer=False)
        domain = Domain((*chain.domain.parameters, mode), chain.domain.facts)
        b, c, value = self._root(sympy.Symbol(MODE))
        statement = {
            "kind": "composed-root",
            "domain": domain.to_json(),
            "chain": chain.to_json(),
            "mode": MODE,
            "b": b,
            "c": c,
            "value": value,
            "quantity": "eigenvalue",
        }
        proof = certify(statement, [law_of_chain(closed(chain))])
        return self._new("metastable-eigenvalues", domain, proof, expression=expression(value))

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
            "complement": closed(chain).to_json(),
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
            "of": time.certificate["statement"],
            "value": str(value),
        }
        proof = certify(statement, [time.certificate])
        return self._new("capacity", self.family.domain, proof, expression=value)

    def _conductance(self) -> Claim:
        """Cheeger's bound from below; the cut around one cluster from above."""
        gap, cluster = self.claim("spectral-gap"), self.family.cluster
        told = gap.certificate["statement"]
        assert gap.lower is not None
        rate = tidy(1 / cluster.step, self.family.domain)
        half = f"({told['lower']})/2"
        statement = {
            "kind": "conductance",
            "domain": told["domain"],
            "chain": told["chain"],
            "meta": told["meta"],
            "lower": half,
            "upper": str(rate),
            **({"even": "yes"} if "even" in told else {}),
        }
        proof = certify(statement, [gap.certificate, law_of_chain(cluster.inside)])
        return self._new("conductance", gap.domain, proof, lower=gap.lower / 2, upper=rate)

    def _kemeny(self) -> Claim:
        """Kemeny's constant, where all clusters are alike and all states but the gates."""
        family, cluster = self.family, self.family.cluster
        times = [self._of_cluster(1, start=GATE, target=target) for target in (GATE, HOME)]
        law = law_of_chain(cluster.inside)
        chain = self.problem.chains
        assert isinstance(chain, OrbitChain)
        walk_law = law_of_chain(chain, self.problem.reversal)
        mean = hitting_times(chain, self.problem.target)
        reach = self._of_walk("mean-hitting-time", chain)
        of_one = expression(walk_law["statement"]["law"][0])
        constant = sympy.Integer(0)
        for row in chain.rows:
            mass = chain.orbits[row.orbit].size * of_one * mean[row.orbit]
            constant += mass if row.index is None else power_sum(mass, *row.index)
        constant = tidy(constant, chain.domain)
        walk = certify(
            {
                "kind": "kemeny-walk",
                "domain": chain.domain.to_json(),
                "chain": chain.to_json(),
                "value": str(constant),
            },
            [reach, walk_law],
            {"values": {n: str(x) for n, x in mean.items()}},
        )
        number = next(n for n, r in enumerate(cluster.chain.rows) if r.orbit == GATE)
        share = expression(law["statement"]["law"][number])
        first, second = (
            expression(t["statement"]["value"]).subs({H: constant, R: 1 / of_one}) for t in times
        )
        value = tidy(share * first + (1 - share) * second, family.domain)
        statement = {
            "kind": "kemeny",
            "domain": family.domain.to_json(),
            "chain": cluster.chain.to_json(),
            "pivot": GATE,
            "home": HOME,
            "meta": {"chain": chain.to_json()},
            "value": str(value),
        }
        proof = certify(statement, [*times, law, walk, walk_law])
        return self._new("kemeny", family.domain, proof, expression=value)


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
                m = replace(m, probability=sympy.factor(moves[key].probability + m.probability))
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
            moves[key] = sympy.factor(moves.get(key, sympy.Integer(0)) + m.probability)
        name = GATE if row.orbit == GATE else "rest"
        if rows.setdefault(name, moves) != moves or row.index is not None:
            raise NoProof("the states beside the gate do not lump")
    size = sympy.factor(sympy.Add(*(chain.orbits[name].size for name in rest)))
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
    for r in chain_from_json(domain, statement["complement"]).rows:
        for m in r.moves:
            ends = where(r), checker.place(m.to, None if m.at is None else str(m.at))
            before = entries.get(ends)
            entries[ends] = (
                m.probability if before is None else tidy(before + m.probability, domain)
            )
    return tuple(Entry(ends, p) for ends, p in entries.items())


def product_law_at(claim: Claim, point: Point) -> dict[Pair, Fraction]:
    """Stationary probability of one state, by orbit of its cluster and by type."""
    statement = claim.statement
    while statement["kind"] == "cases":
        parts = statement["parts"]
        statement = next(p for p in parts if not domain_from_json(p["domain"]).violated(point))
    walk, types = (
        values_of_rows(chain_from_json(claim.domain, part["chain"]), part["law"], point)
        for part in (statement["meta"], statement)
    )
    return {(a, b): p * q for a, p in walk.items() for b, q in types.items()}


def law_of_chain(chain: OrbitChain, reversal: Sequence[Row] = ()) -> Certificate:
    """Certificate of the stationary law of a chain, reversible or not.

    The rows of the time reversal are found where the orbits are finitely many.
    """
    law = law_of(chain)
    target = next(n for n, o in chain.orbits.items() if o.size == 1 and o.index is None)
    solution = Solved(tuple(law), target, hitting_times(chain, target))
    if reversal:
        return reversible(chain, solution, reversal)
    try:
        return reversible(chain, solution)
    except NoProof:
        if any(o.index for o in chain.orbits.values()):
            raise
        return reversible(chain, solution, reversed_rows(chain, law))


def reversed_rows(chain: OrbitChain, law: Sequence[sympy.Expr]) -> tuple[Row, ...]:
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
        Row(name, tuple(Move(to, sympy.factor(p)) for to, p in moves.items()))
        for name, moves in back.items()
    )


def product_entries(statement: Mapping[str, Any], domain: Domain) -> tuple[Entry, ...]:
    """The probability of one state of a type in one cluster, for each pair of rows."""
    while statement["kind"] == "cases":
        statement = statement["parts"][-1]
    meta = statement["meta"]
    parts = [
        (chain_from_json(domain, c), [expression(x) for x in law])
        for c, law in ((meta["chain"], meta["law"]), (statement["chain"], statement["law"]))
    ]
    (walk, outer), (cluster, inner) = parts
    return tuple(
        Entry((where(a), where(b)), tidy(p * q, domain))
        for a, p in zip(walk.rows, outer, strict=True)
        for b, q in zip(cluster.rows, inner, strict=True)
    )


def _texts(functions: Mapping[str, Mapping[str, sympy.Expr]]) -> dict[str, dict[str, str]]:
    return {f: {name: str(x) for name, x in values.items()} for f, values in functions.items()}
