"""The ``metastable`` command."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
import textwrap
import time
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import numpy as np
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from numerics import (
    bookbuild,
    elimination,
    events,
    processes,
    quantities,
    simulate,
    slow_modes,
    sweep,
)
from numerics.algorithms.registry import ALGORITHMS, read_settings
from numerics.algorithms.task import Task, Truth
from numerics.chain import Chain, ChainError, parse_number, read_chain
from numerics.rows import concrete
from numerics.verify import METHODS, Judgement, Verdict, judge
from theory import checker, render
from theory.attachment import ATTACHMENTS, Attachment
from theory.catalogue import catalogue, is_built_in, load
from theory.catalogue import derivation as derivation_of
from theory.claims import Claim, Derivation, NoClaim, named
from theory.domain import DomainError, Point, describe
from theory.expansion import expand
from theory.family import Family, FamilyError, Problem, built_in, place_in_family
from theory.kernel import Kernel
from theory.kernels import kernels
from theory.meta_graph import MetaGraph
from theory.meta_graphs import meta_graphs
from theory.skeleton import kernel_skeleton, skeleton

CATALOGUE = "catalogue"  # what verify calls the compositions of built-in parts
ALL = "all"  # what derive calls all quantities
MANY = 30  # claims, from which on processes share the work

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Exact theory and numerics of metastable Markov chains.

    Start here:

      metastable families                      what there is

      metastable derive ring                   a formula with its proof

      metastable derive ring --at K=8,M=5,epsilon=1/1000

      metastable verify                        re-check every claim

      metastable new mine.py                   a family of your own, or --kernel

      metastable solve chain.csv --from A --to B
    """,
)
out, err = Console(), Console(stderr=True)


class InputError(ValueError):
    """Bad input that no other module has named; the message is one line."""


WIDTH = 96  # columns of running text
INTERRUPTED = 130  # the shell's code for Ctrl-C
KNOWN_ERRORS = (
    InputError,
    DomainError,
    FamilyError,
    NoClaim,
    ChainError,
    bookbuild.BookError,
    sweep.SweepError,
    processes.WorkerError,
)

At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="K=8,M=5,...", help="Exact numbers: 1/1000, 0.001 and 1e-3 agree."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write JSON here.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the random numbers.")]


def main() -> None:
    """Run the command; bad input is one line on stderr and exit code 2."""
    try:
        # Typer returns the code of typer.Exit, and None from a command that ends by itself.
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except SystemExit as error:
        if place_in_family(error) is None:
            raise
        _fail(_complaint(error))
    except Exception as error:
        _fail(_complaint(error))
    if code == INTERRUPTED:
        print("metastable: interrupted", file=sys.stderr)
    sys.exit(code)


def _complaint(error: BaseException) -> str:
    """What is wrong with the input, where, and the remedy."""
    if isinstance(error, KNOWN_ERRORS):
        return str(error)
    kind = f"{type(error).__name__}: {error}"
    place = place_in_family(error)
    if place is not None:  # a family file may raise anything
        return f"{place}: {kind}: mend the family"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {(error.strerror or kind).lower()}: check the path"
    usage = getattr(error, "format_message", None)  # Typer's own errors, wherever it keeps them
    return kind if usage is None else f"{usage()} Try 'metastable --help'."


def _fail(message: str) -> NoReturn:
    printable = "".join(char if char.isprintable() else " " for char in message)
    print("metastable:", " ".join(printable.split()), file=sys.stderr)
    sys.exit(2)


# ---------------------------------------------------------------- families
@app.command()
def families(as_json: AsJson = False) -> None:
    """List the built-in families, and the parts of which others are composed."""
    parts: dict[str, Mapping[str, Kernel | MetaGraph | Attachment]] = {
        "kernels": kernels(),
        "meta_graphs": meta_graphs(),
        "attachments": ATTACHMENTS,
    }
    if as_json:
        composed = {kind: {n: p.title for n, p in named.items()} for kind, named in parts.items()}
        _print_json({"families": [_describe(f) for f in built_in().values()], **composed})
        return
    print("\n\n".join(_block(family) for family in built_in().values()))
    print("\nkernel/meta-graph/attachment, such as clique/ring/gate; a number in a name is free:")
    for kind, named_parts in parts.items():
        for n, (name, part) in enumerate(named_parts.items()):
            label = f"  {kind.replace('_', '-') if n == 0 else '':<12}"
            print("\n".join(_wrapped(f"{name}: {part.title}{_brief(part)}", label)))


def _brief(part: Kernel | MetaGraph | Attachment) -> str:
    """The parameters of a part, and from where to where a meta-graph leads."""
    if isinstance(part, MetaGraph):
        parameters, ends = part.domain.parameters, [f"from {_ends_text(part.problems()[0])}"]
    else:
        parameters, ends = part.parameters, []
    told = [", ".join(p.name for p in parameters)] * bool(parameters) + ends
    return f" ({'; '.join(told)})" if told else ""


def _block(family: Family) -> str:
    """A family as a block of text."""
    told = _describe(family)
    names = [p["name"] for p in told["parameters"]]
    meanings = [p["meaning"] for p in told["parameters"]]
    meanings = [
        m if p["default"] is None else f"{m} (default {p['default']})"
        for m, p in zip(meanings, told["parameters"], strict=True)
    ]
    problems = [f"{named('hitting-time', p.name)}: {_ends_text(p)}" for p in family.problems()]
    lines = [f"{family.id}: {family.title}"]
    for title, parts in (
        ("parameters", [f"{n}: {m}" for n, m in zip(names, meanings, strict=True)]),
        ("domain", [", ".join(told["domain"])]),
        ("gates", [family.gates]),
        ("from -> to", problems),
        ("quantities", [", ".join(told["quantities"])]),
    ):
        for n, part in enumerate(parts):
            lines += _wrapped(part, f"  {title if n == 0 else '':<12}")
    return "\n".join(lines)


def _wrapped(text: str, label: str) -> list[str]:
    """Lines of a text beside a label."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _ends_text(problem: Problem) -> str:
    name, at = problem.start
    return f"{checker.place(name, at)} -> {problem.target}"


def _describe(family: Family) -> dict[str, Any]:
    problem = family.problems()[0]
    name, at = problem.start
    return {
        "id": family.id,
        "title": family.title,
        "parameters": [
            {
                "name": p.name,
                "meaning": p.meaning,
                "integer": p.integer,
                "facts": list(p.facts),
                "default": p.default,
            }
            for p in family.domain.parameters
        ],
        "domain": list(family.domain.all_facts),
        "gates": family.gates,
        "start": checker.place(name, at),
        "target": problem.target,
        "quantities": list(derivation_of(family).recipes),
    }


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The Python file to write.")],
    kernel: Annotated[
        bool, typer.Option("--kernel", help="What happens inside one cluster, for compositions.")
    ] = False,
) -> None:
    """Write a commented skeleton of a family, or of a kernel, ready to derive."""
    if file.suffix != ".py":
        raise InputError(f"{file}: a family file ends in .py")
    if file.exists():
        raise InputError(f"{file} exists: choose another name, nothing was written")
    _require_writable(file)
    identifier = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "family"
    if identifier in (kernels() if kernel else built_in()):
        kind = "kernel" if kernel else "family"
        raise InputError(f"{identifier} is a built-in {kind}: choose another file name")
    text = kernel_skeleton if kernel else skeleton
    file.write_text(text(str(file), identifier), encoding="utf-8")
    named = f"{file}/ring/gate" if kernel else file
    out.print(f"wrote {file}; now: metastable derive {named}", soft_wrap=True)


# ---------------------------------------------------------------- derive, verify, check
@app.command()
def derive(
    family: Annotated[
        str,
        typer.Argument(
            help="A family's id, a Python file with one family, or KERNEL/META-GRAPH/ATTACHMENT, "
            "the kernel an id or a Python file: mine.py/ring/gate."
        ),
    ],
    quantity: Annotated[
        str, typer.Option("--quantity", "-q", help="What to derive; all: whatever there is.")
    ] = "hitting-time",
    at: At = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX only.")] = False,
    as_json: AsJson = False,
    order: Annotated[
        int | None, typer.Option("--order", help="Expand in epsilon up to this power.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="Write the proof here.")
    ] = None,
) -> None:
    """Derive a formula or bounds, with a proof that the lone checker accepts."""
    _require_writable(certificate)
    chosen = load(family)
    given = None if at is None else _numbers(at)
    names = {p.name for p in chosen.domain.parameters}
    own = {name: value for name, value in (given or {}).items() if name in names}
    point = None
    if given is not None:
        try:
            point = chosen.domain.complete(own if quantity != ALL else given)
        except DomainError:  # a name that is misspelt is told before one that is missing
            point = chosen.domain.complete(given)
    derivation = derivation_of(chosen)
    if quantity == ALL:
        if order is not None or certificate is not None:
            raise InputError("--order and --certificate are of one quantity: name it with -q")
        _derive_all(derivation, at, point, latex, as_json)
        return
    claim = derivation.claim(quantity)
    if order is not None:
        _expansion(claim, order, as_json, latex, certificate)
        return
    if given is not None and point is not None:
        point |= _others(claim, chosen, given, at)
    values = {} if point is None else render.values_at(claim, chosen, point)
    if certificate is not None:
        proof = {**claim.certificate, "claim": claim.id}
        certificate.write_text(json.dumps(proof, indent=1) + "\n", encoding="utf-8")
    told = _claim_json(claim)
    if as_json:
        _print_json(told | _at_json(point, values))
    elif latex:
        print(render.claim_latex(claim))
    else:
        _print_claim(claim, chosen, told)
        _print_values(at, values)
    if told["certificate"]["verdict"] != Verdict.PROVED:
        raise typer.Exit(1)


def _others(
    claim: Claim, family: Family, given: Mapping[str, Fraction], at: str | None
) -> dict[str, Fraction]:
    """The parameters that a claim has beside those of its family, such as rho of a law."""
    ours = [p.name for p in family.domain.parameters]
    more = [p.name for p in claim.domain.parameters if p.name not in ours]
    for name in given:
        if name not in ours and name not in more:
            known = ", ".join([*ours, *more])
            raise DomainError(f"unknown parameter {name!r}: give one of {known}")
    for name in more:
        if name not in given:
            raise DomainError(f"parameter {name} is missing: add it, --at {at},{name}=...")
    return {name: given[name] for name in more}


def _derive_all(
    derivation: Derivation, at: str | None, point: Point | None, latex: bool, as_json: bool
) -> None:
    """Print every claim of a family; what is not derived is left out of JSON and LaTeX."""
    objects: list[dict[str, Any]] = []
    family = derivation.family
    for quantity in (*derivation.recipes, *family.absent):
        try:
            claim = derivation.claim(quantity)
        except NoClaim as error:
            if not (latex or as_json):
                print(f"NOT DERIVED  {error}\n")
            continue
        told, outside, values = _claim_json(claim), "", dict[str, object]()
        if point is not None:
            try:
                values = render.values_at(claim, family, point)
            except DomainError as error:
                outside = str(error)
        objects.append(told | _at_json(point, values))
        if as_json:
            continue
        if latex:
            print(render.claim_latex(claim))
            continue
        _print_claim(claim, family, told)
        _print_values(at, values)
        print(f"no value at {at}: {outside}\n" if outside else "")
    if as_json:
        print(_json({"claims": objects})["claims"], end="")
    if any(told["certificate"]["verdict"] != Verdict.PROVED for told in objects):
        raise typer.Exit(1)


def _at_json(point: Point | None, values: Mapping[str, object]) -> dict[str, object]:
    if point is None:
        return {}
    return {"at": {name: str(x) for name, x in point.items()}, **values}


def _print_values(at: str | None, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        print(f"{name.replace('_', ' ')} at {at}: {_shorten(value, name)}")


def _expansion(
    claim: Claim, order: int, as_json: bool, latex: bool, certificate: Path | None
) -> None:
    """Print the expansion of a claim, and write its proof."""
    found = expand(claim, order)
    if certificate is not None:
        certificate.write_text(json.dumps(found.certificate, indent=1) + "\n", encoding="utf-8")
    statement = checker.text(checker.check(found.certificate))
    if latex:
        print(render.expansion_latex(found))
    elif as_json:
        _print_json(
            {
                "family": claim.family,
                "quantity": claim.quantity,
                "first": found.first,
                "terms": [str(term) for term in found.terms],
                "remainder": {
                    "power": order,
                    "lower": str(found.lower),
                    "upper": str(found.upper),
                },
                "latex": render.expansion_latex(found),
                "domain": render.domain_text(found.domain),
                "certificate": {
                    "kind": "expansion",
                    "verdict": str(Verdict.PROVED),
                    "statement": statement,
                },
            }
        )
    else:
        print(f"{claim.id}, for {render.domain_text(found.domain)}:")
        for n, term in enumerate(found.terms):
            print(f"  epsilon^{found.first + n}: {term}")
        print(f"  epsilon^{order}: between {found.lower} and {found.upper}")
        print(f"{Verdict.PROVED} by a certificate of kind expansion")


def _claim_json(claim: Claim) -> dict[str, Any]:
    try:
        statement = checker.text(checker.check(claim.certificate))
        verdict = Verdict.PROVED
    except checker.Refused as error:
        statement, verdict = str(error), Verdict.UNDECIDED
    told: dict[str, Any] = {
        "family": claim.family,
        "quantity": claim.quantity,
        "parameters": [p.name for p in claim.domain.parameters],
    }
    if claim.expression is not None:
        told["expression"] = str(claim.expression)
    if claim.lower is not None:
        told |= {"lower": str(claim.lower), "upper": str(claim.upper)}
    if claim.quantity == "stationary":
        told["expression"] = [[str(e.value) for e in claim.entries]]
        told["orbits"] = [e.place[0] for e in claim.entries]
    elif claim.entries:
        told["expression"] = [[str(e.value)] for e in claim.entries]
        ends = "moves" if claim.quantity == "stochastic-complement" else "clusters"
        told[ends] = [list(e.place) for e in claim.entries]
    return told | {
        "latex": render.claim_latex(claim),
        "domain": render.domain_text(claim.domain),
        "source": claim.source,
        "certificate": {
            "kind": claim.statement["kind"],
            "verdict": str(verdict),
            "statement": statement,
        },
    }


def _print_claim(claim: Claim, family: Family, told: Mapping[str, Any]) -> None:
    print(f"{claim.id}, for {told['domain']}:")
    ends = render.ends_text(claim, family)
    if ends:
        print(f"  {ends}")
    for key in ("expression", "lower", "upper"):
        if isinstance(told.get(key), str):
            print(f"  {key}: {told[key]}")
    for entry in claim.entries:
        print(f"  {' -> '.join(entry.place)}: {entry.value}")
    print(f"{told['certificate']['verdict']} by a certificate of kind {claim.statement['kind']}")


@app.command()
def verify(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FAMILY | CLAIM]...",
            help="Default: all built-in families; catalogue: their compositions.",
        ),
    ] = None,
    method: Annotated[str | None, typer.Option("--method", help=" | ".join(METHODS))] = None,
    json_file: JsonFile = None,
    seed: Seed = 0,
) -> None:
    """Re-derive and re-check claims: proof, rows, exact arithmetic, floating point, simulation.

    What cannot be derived of a family of yours, or of a composition, is listed as NOT DERIVED with
    the reason; that is no failure, and left out of the JSON. Asked for by name, such a claim is
    UNDECIDED.
    """
    if method is not None and method not in METHODS:
        raise InputError(f"unknown method {method!r}: give one of {', '.join(METHODS)}")
    _require_writable(json_file)
    todo = _claims(targets or list(built_in()))
    methods = METHODS if method is None else (method,)
    with _progress(len(todo)) as advance:
        found = _verified(todo, methods, seed, advance)
    rows, told_of, not_derived = list[dict[str, Any]](), list[Pending](), list[NoClaim]()
    for task, row in zip(todo, found, strict=True):
        if isinstance(row, NoClaim) and not task.due:
            not_derived.append(row)
            continue
        told_of.append(task)
        rows.append(_row(task.claim, row) if isinstance(row, NoClaim) else row)
    if json_file is not None:
        json_file.write_text(_json({"claims": rows})["claims"], encoding="utf-8")
    width = max((len(told["claim"]) for told in rows), default=0)
    for told in rows:
        margin = "" if told["margin"] is None else f"margin {told['margin']:.1e}"
        print(f"{told['verdict']:<10}  {told['claim']:<{width}}  {margin:<15}  {told['method']}")
    for none in not_derived:
        print(f"NOT DERIVED  {str(none).replace(': not derived: ', '  ')}")
    bad = [pair for pair in zip(rows, told_of, strict=True) if pair[0]["verdict"] != Verdict.PROVED]
    for told, task in bad:
        claimed = shlex.quote(f"{task.name}/{task.quantity}")
        print(f"{told['claim']}: {told['verdict']}: {told['reason']}")
        print(f"  reproduce: metastable verify {claimed} --seed {seed}")
    print(f"{len(rows) - len(bad)} of {len(rows)} claims PROVED")
    if bad:
        raise typer.Exit(1)


class Pending(NamedTuple):
    """A claim to verify.

    Attributes
    ----------
    name : the family as it was named.
    due : whether it is a failure if the claim is not derived.
    """

    name: str
    derivation: Derivation
    quantity: str
    due: bool

    @property
    def claim(self) -> str:
        """The id of the claim."""
        return f"{self.derivation.family.id}/{self.quantity}"


def _claims(targets: Sequence[str]) -> list[Pending]:
    """Every claim asked for; those of built-in families and of the catalogue are due."""
    todo: list[Pending] = []
    derivations: dict[str, Derivation] = {}
    for target in targets:
        if target == CATALOGUE:
            for family, quantities in catalogue():
                whole = derivation_of(family)
                todo += [Pending(family.id, whole, q, due=True) for q in quantities]
            continue
        name, quantity = target, ""
        *head, last = target.rsplit("/", 1)
        if head and not last.endswith(".py") and last not in (*ATTACHMENTS, "ports"):
            name, quantity = *head, last
        derivation = derivations.setdefault(name, derivation_of(load(name)))
        if quantity in derivation.family.absent:
            reason = derivation.family.absent[quantity]
            raise InputError(f"unknown claim {target!r}: not derived: {reason}")
        if quantity and quantity not in derivation.recipes:
            known = ", ".join(derivation.recipes)
            raise InputError(f"unknown claim {target!r}: {name} has {known}")
        due = bool(quantity) or name in built_in()
        asked = [quantity] if quantity else derivation.recipes
        todo += [Pending(name, derivation, q, due) for q in asked]
    return todo


def _verified(
    todo: Sequence[Pending], methods: Sequence[str], seed: int, advance: Callable[..., None]
) -> list[dict[str, Any] | NoClaim]:
    """The row of each claim, in order, or why it is not derived.

    Many claims of several families are shared out to processes, family by family.  A family of a
    user's stays in this one, where what is wrong in its file can be told.
    """
    numbers: dict[Derivation, list[int]] = {}
    for number, task in enumerate(todo):
        numbers.setdefault(task.derivation, []).append(number)
    jobs = [
        (todo[of[0]].name, tuple(todo[n].quantity for n in of), methods, seed)
        for of in numbers.values()
    ]
    results: Iterable[tuple[int, dict[str, Any] | NoClaim]]
    cores = os.cpu_count() or 1
    built = all(is_built_in(name) for name, *_ in jobs)
    if built and len(todo) >= MANY and min(cores, len(jobs)) > 1:
        results = processes.shared(_rows_by_name, jobs, cores)
    else:
        results = (
            (n, row)
            for n, (derivation, job) in enumerate(zip(numbers, jobs, strict=True))
            for row in _rows_of(derivation, job[1], methods, seed)
        )
    coming = [iter(of) for of in numbers.values()]
    found: dict[int, dict[str, Any] | NoClaim] = {}
    for job_number, row in results:
        number = next(coming[job_number])
        found[number] = row
        advance(todo[number].claim)
    return [found[number] for number in range(len(todo))]


def _rows_by_name(
    job: tuple[str, Sequence[str], Sequence[str], int],
) -> Iterator[dict[str, Any] | NoClaim]:
    """Some claims of a built-in family, derived anew."""
    name, quantities, methods, seed = job
    return _rows_of(derivation_of(load(name)), quantities, methods, seed)


def _rows_of(
    derivation: Derivation, quantities: Sequence[str], methods: Sequence[str], seed: int
) -> Iterator[dict[str, Any] | NoClaim]:
    """The rows of some claims of a family, one after the other."""
    family = derivation.family
    for quantity in quantities:
        try:
            judged = judge(derivation.claim(quantity), family, methods, seed=seed)
            yield _row(f"{family.id}/{quantity}", judged)
        except NoClaim as error:
            yield error


def _row(name: str, judged: Judgement | NoClaim) -> dict[str, Any]:
    family, quantity = name.rsplit("/", 1)
    row: dict[str, Any] = {"claim": name, "family": family, "quantity": quantity}
    if isinstance(judged, NoClaim):
        return row | {
            "verdict": str(Verdict.UNDECIDED),
            "method": "",
            "margin": None,
            "certificate": {"kind": "", "statement": ""},
            "reason": str(judged),
        }
    statement = judged.claim.statement
    methods = dict.fromkeys(e.method for e in judged.evidence)
    return row | {
        "verdict": str(judged.verdict),
        "method": ", ".join(methods),
        "margin": judged.margin,
        "certificate": {"kind": statement["kind"], "statement": checker.text(statement)},
        "reason": judged.reason,
    }


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A certificate, as derive --certificate writes it.")],
    family: Annotated[
        str | None,
        typer.Option(
            "--family",
            help="The family that the claim is about, where it is not built in: its file, or "
            "KERNEL/META-GRAPH/ATTACHMENT.",
        ),
    ] = None,
) -> None:
    """Re-check a certificate, using only the checker, and compare it with the claim it is for."""
    try:
        certificate = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not a certificate: {error}") from error
    if not isinstance(certificate, dict) or certificate.get("format") != checker.FORMAT:
        raise InputError(f"{file}: not a certificate: expected format {checker.FORMAT}")
    try:
        statement = checker.check(certificate)
    except checker.Refused as error:
        print(f"REFUSED: {error}")
        raise typer.Exit(1) from error
    print(f"VERIFIED: {checker.text(statement)}")
    claim = certificate.get("claim")
    name, _, quantity = str(claim).rpartition("/")
    if claim is None or (family is None and not is_built_in(name)):
        print("No built-in claim is named in the file: the statement above is all that is shown.")
        if claim is not None:
            print(f"To compare it with the claim {claim}, name the family with --family.")
        return
    if derivation_of(load(family or name)).claim(quantity).statement != statement:
        of = f" of {family}" if family else ""
        print(f"REFUSED: this is not the statement of the claim {claim}{of}")
        raise typer.Exit(1)
    print(f"It is the claim {claim}.")


# ---------------------------------------------------------------- concrete chains
SOLVED = (
    *("hitting-time", "second-moment", "variance", "escape-probability"),
    *("stationary", "spectral-gap", "kemeny"),
)


@app.command()
def solve(
    chain: Annotated[Path, typer.Argument(help="A chain: .csv, .npz or .json.")],
    quantity: Annotated[
        str, typer.Option("--quantity", "-q", help=" | ".join(SOLVED))
    ] = "hitting-time",
    start: Annotated[str | None, typer.Option("--from", metavar="A", help="State.")] = None,
    targets: Annotated[str | None, typer.Option("--to", metavar="B[,C..]", help="States.")] = None,
    as_json: AsJson = False,
) -> None:
    """Solve a concrete chain, accurate at any epsilon."""
    if quantity not in SOLVED:
        raise InputError(f"unknown quantity {quantity!r}: give one of {', '.join(SOLVED)}")
    known = read_chain(chain)
    name = f"mean_{quantity}" if quantity == "hitting-time" else quantity
    name = name.replace("-", "_")
    told: dict[str, Any] = {}
    if quantity in ("stationary", "spectral-gap", "kemeny"):
        value, method, bound = _of_whole(known, quantity)
    else:
        a, goals = _ends(known, start, targets)
        told = {"from": known.states[a], "to": [known.states[b] for b in goals]}
        value, method, bound = _between(known, quantity, a, goals)
    if isinstance(value, Sequence):
        told[name] = {x: _plain(p) for x, p in zip(known.states, value, strict=True)}
    else:
        told[name] = _plain(value)
    told |= {"method": method, "relative_error_bound": bound}
    if as_json:
        _print_json(told)
        return
    if quantity == "stationary":
        table = Table("state", "stationary probability")
        for state, p in told["stationary"].items():
            table.add_row(state, str(p))
        out.print(table)
    else:
        ends = f" from {told['from']} to {', '.join(told['to'])}" if "from" in told else ""
        print(f"{name.replace('_', ' ')}{ends}: {told[name]}")
    print(f"by {method}, relative error at most {bound:.1e}")


Solved = tuple[float | Fraction | Sequence[float | Fraction], str, float]


def _between(chain: Chain, quantity: str, start: int, goals: Sequence[int]) -> Solved:
    """A quantity of the walk from a state to a set, on what can be reached from the state."""
    reached = chain.reachable_part(start)
    inside = [reached.index(chain.states[b]) for b in goals if chain.states[b] in reached.states]
    if not inside:
        name = chain.states[start]
        raise ChainError(f"unreachable target: no path from {name!r} to it; choose another target")
    a = reached.index(chain.states[start])
    by = "state reduction"
    match quantity:
        case "hitting-time":
            solution = elimination.mean_hitting_times(reached, inside)
            return solution.numbers()[a], by, solution.relative_error_bound
        case "second-moment":
            moments = quantities.second_moments(reached, inside)
            return moments.value[a], by, moments.relative_error_bound or 0.0
        case "variance":
            found = quantities.variances(reached, inside)
            value, error = found.values[a], found.error_bound[a]
            if abs(value) <= error:
                raise ChainError(
                    "the digits of the variance cancel: the time hardly varies; ask for its second "
                    "moment"
                )
            return _double(value), by, float(error / (abs(value) - error))
    escape = quantities.escape_probability(reached, a, inside)
    return escape.value, by, escape.relative_error_bound or 0.0


def _of_whole(chain: Chain, quantity: str) -> Solved:
    """A quantity of the whole chain."""
    match quantity:
        case "stationary":
            law = elimination.stationary(chain)
            return law.numbers(), "state reduction", law.relative_error_bound
        case "kemeny":
            constant = quantities.kemeny_constant(chain)
            return constant.value, "state reduction", constant.relative_error_bound or 0.0
    modes = slow_modes.slow_modes(chain)
    gap = Fraction(float(modes.rates[0].real)) * Fraction(2) ** modes.exponent
    if modes.condition[0] > 1:
        raise ChainError(
            "the chain is not reversible: 1 - lambda is no spectral gap; ask for another quantity"
        )
    return _double(gap), "Lanczos on the group inverse", float(modes.relative_error_bound[0])


def _double(value: Fraction) -> float | Fraction:
    """The nearest double, unless it leaves the range of one."""
    size = value.numerator.bit_length() - value.denominator.bit_length()
    return float(value) if not value or -1020 < size < 1020 else value


def _plain(value: float | Fraction) -> float | str:
    """A double, or a decimal string where it would leave the range of one."""
    if isinstance(value, float):
        return value
    size = value.numerator.bit_length() - value.denominator.bit_length()
    if value == 0 or -1020 < size < 1020:
        return float(value)
    digits = 17
    exponent = math.floor(size * math.log10(2))
    scaled = value / Fraction(10) ** exponent
    while scaled >= 10:
        scaled, exponent = scaled / 10, exponent + 1
    while scaled < 1:
        scaled, exponent = scaled * 10, exponent - 1
    text = str(round(scaled * 10 ** (digits - 1)))
    return f"{text[0]}.{text[1:]}e{exponent:+d}"


def _ends(chain: Chain, start: str | None, targets: str | None) -> tuple[int, list[int]]:
    if start is None or targets is None:
        raise InputError("name the ends: --from A --to B[,C..]")
    names = [targets] if targets in chain.states else [t.strip() for t in targets.split(",")]
    return chain.index(start), [chain.index(name) for name in names]


@app.command("simulate")
def simulate_command(
    family_or_chain: Annotated[str, typer.Argument(help="A family, or a chain file.")],
    replicas: Annotated[int, typer.Option("--replicas", min=2, help="Independent runs.")],
    seed: Seed,
    at: At = None,
    start: Annotated[str | None, typer.Option("--from", metavar="A", help="State.")] = None,
    targets: Annotated[str | None, typer.Option("--to", metavar="B[,C..]", help="States.")] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="events: from one sparse event to the next, at any epsilon; steps: step by step.",
        ),
    ] = "events",
    as_json: AsJson = False,
) -> None:
    """Simulate hitting times, exactly in law, at a cost that does not depend on epsilon."""
    if method not in ("events", "steps"):
        raise InputError(f"unknown method {method!r}: give events or steps")
    chain, clusters, a, goals = _problem(family_or_chain, at, start, targets)
    rng = np.random.default_rng(seed)
    with _progress(replicas) as advance:
        done = 0

        def report(count: int) -> None:
            nonlocal done
            advance("replicas", count - done)
            done = count

        sample: simulate.Sample | events.Sample
        if method == "steps":
            sample = simulate.hitting_times(chain, a, goals, replicas, rng, progress=report)
        else:
            sample = events.hitting_times(
                chain, a, goals, replicas, rng, clusters=clusters, progress=report
            )
    told = {
        "mean": sample.mean,
        "standard_error": sample.standard_error,
        "replicas": replicas,
        "seed": seed,
        "steps": sample.steps,
        "method": method,
    }
    if as_json:
        _print_json(told)
    else:
        print(
            f"mean {sample.mean:.6g}, standard error {sample.standard_error:.2g}, "
            f"{replicas} replicas, seed {seed}, {sample.steps} steps"
        )


def _problem(
    family_or_chain: str, at: str | None, start: str | None, targets: str | None
) -> tuple[Chain, list[list[int]] | None, int, list[int]]:
    """A chain, its clusters where a family knows them, the start and the targets."""
    if Path(family_or_chain).suffix in (".csv", ".npz", ".json"):
        chain = read_chain(family_or_chain)
        if at is not None:
            raise InputError("--at belongs to a family; a chain file has its numbers")
        clusters = None
        a, goals = _ends(chain, start, targets)
    else:
        family = load(family_or_chain)
        if at is None:
            raise InputError(
                f"choose a point: --at {','.join(f'{p.name}=..' for p in family.domain.parameters)}"
            )
        point = _point(family, at)
        if family.states(point) > render.LARGEST_CHAIN:
            raise InputError(
                f"{family.states(point)} states at {describe(point)} are too many to write out: "
                f"take at most {render.LARGEST_CHAIN}"
            )
        explicit = family.explicit(point)
        chain = concrete(explicit)
        members: dict[int, list[int]] = {}
        for number, k in enumerate(explicit.clusters):
            members.setdefault(k, []).append(number)
        clusters = list(members.values())
        ends = (family.start("", point), family.target("", point))
        names = [f"{k}.{i}" for k, i in ends]
        a, goals = _ends(chain, start or names[0], targets or names[1])
    return chain, clusters, a, goals


@app.command("run")
def run_command(
    algorithm: Annotated[str, typer.Argument(help=" | ".join(ALGORITHMS))],
    seed: Seed,
    family_or_chain: Annotated[
        str | None, typer.Argument(help="A family, or a chain file; not for limits.")
    ] = None,
    at: At = None,
    start: Annotated[str | None, typer.Option("--from", metavar="A", help="State.")] = None,
    targets: Annotated[str | None, typer.Option("--to", metavar="B[,C..]", help="States.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the algorithm; repeatable."),
    ] = None,
    queries: Annotated[
        int | None, typer.Option("--queries", metavar="Q", help="To answer; for budget, search.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result.")] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Draw the result: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Run one of the paper's algorithms, and compare with what theory predicts.

    epsilon_max may stand in --at; its default is 1/(10 M).
    """
    if algorithm not in ALGORITHMS:
        raise InputError(f"unknown algorithm {algorithm!r}: give one of {', '.join(ALGORITHMS)}")
    chosen = ALGORITHMS[algorithm]
    for file in (json_file, figure):
        _require_writable(file)
    if figure is not None and figure.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"{figure}: a figure ends in .png, .svg or .pdf")
    pairs = dict(_setting(text) for text in settings or [])
    task = truth = None
    if chosen.needs_task:
        if family_or_chain is None:
            raise InputError(f"{algorithm} needs a family or a chain file: name one")
        at, epsilon_max, M = _without_cap(at)
        chain, clusters, a, goals = _problem(family_or_chain, at, start, targets)
        task = Task(chain, a, tuple(goals))
        if clusters is not None:
            label = {x: k for k, cluster in enumerate(clusters) for x in cluster}
            truth = Truth.of_clusters(chain, [label[x] for x in range(chain.size)])
        if "epsilon_max" in {field.name for field in fields(chosen.settings)}:
            if epsilon_max is None and M is not None and algorithm == "ppo":
                epsilon_max = f"1/{10 * int(M)}"
            if epsilon_max is not None:
                pairs.setdefault("epsilon_max", epsilon_max)
    elif family_or_chain is not None or at is not None or start is not None or targets is not None:
        raise InputError(f"{algorithm} builds its own chains: leave the family and its ends out")
    if queries is not None:
        if "queries" not in {field.name for field in fields(chosen.settings)}:
            raise InputError(f"{algorithm} answers no queries: leave --queries out")
        pairs["queries"] = str(queries)
    config = read_settings(chosen.settings, pairs)
    with _progress(1000) as advance:
        shown = 0

        def progress(done: int, of: int) -> None:
            nonlocal shown
            now = 1000 * done // max(of, 1)
            advance(algorithm, now - shown)
            shown = now

        report = chosen.run(task, truth, config, np.random.default_rng(seed), progress)
    told = {"algorithm": algorithm, "seed": seed, **report.told}
    table = Table(show_header=False)
    for name, value in report.rows:
        table.add_row(name, value)
    out.print(table)
    if json_file is not None:
        json_file.write_text(_json(told)["object"] + "\n", encoding="utf-8")
    if figure is not None:
        report.figure().savefig(figure, bbox_inches="tight")


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InputError(f"--set {text}: write --set NAME=VALUE")
    return name, value


def _without_cap(at: str | None) -> tuple[str | None, str | None, str | None]:
    """``--at`` without epsilon_max, epsilon_max, and M, where they are given."""
    if at is None:
        return None, None, None
    parts = [part.partition("=") for part in at.split(",")]
    given = {name.strip(): value.strip() for name, _, value in parts}
    rest = ",".join(f"{n}{e}{v}" for n, e, v in parts if n.strip() != "epsilon_max")
    M = given.get("M")
    return rest, given.get("epsilon_max"), M if M is not None and M.isdecimal() else None


@app.command("sweep")
def sweep_command(
    config: Annotated[Path, typer.Argument(help="A TOML file; see above.")],
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Of a Dask cluster; default: local."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="FILE", help="Results; default: CONFIG's, .sqlite."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write the store as .parquet or .csv."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Local processes; default: one a core.")
    ] = None,
) -> None:
    """Run a grid of cases on Dask; a finished case is kept whatever is killed, and never run again.

    A grid is the product of its lists. CONFIG, whose paths are relative to it:

    \b
      seed = 7                      # of all simulations
      store = "results.sqlite"      # default: this name with .sqlite
      [\\[grid]]
      family = ["ring", "mine.py"]  # ids, compositions, files
      quantity = "hitting-time"
      method = ["exact", "float", "simulation", "closed-form"]
      replicas = 200                # of a simulation
      seeds = [0, 1, 2]             # one simulation for each
      max-steps = 1000000000        # of a simulation, over all replicas
      \\[grid.parameters]
      K = [4, 8]
      M = 5
      epsilon = ["1/1000", 1e-2]    # exact: 1/100 and 1e-2 are one number

    A chain (.csv, .npz, .json) takes from = "A" and to = ["B", "C"] in place of parameters.

    Start the same command again to continue. Exit code 1 if a case failed.
    """  # noqa: D301
    if scheduler is not None and workers is not None:
        raise InputError("--workers are of this machine: leave it out with --scheduler")
    asked = sweep.read_config(config)
    kept = asked.store if store is None else store
    _require_writable(kept)
    if table is not None:
        sweep.require_exportable(table)
        _require_writable(table)
    known = {r.case.key for r in sweep.read_results(kept)} if kept.exists() else set()
    before = sum(case.key in known for case in asked.cases)
    begin = time.perf_counter()
    with _progress(len(asked.cases) - before, TimeRemainingColumn()) as advance:

        def report(result: sweep.Result) -> None:
            print(_result_line(result), flush=True)
            advance(result.case.family)

        results = sweep.run(asked, scheduler, report, store=kept, workers=workers)
    if table is not None:
        sweep.export(sweep.read_results(kept), table)
    failed = sum(result.failure is not None for result in results)
    print(
        f"{len(results)} cases, {before} of them from before: {len(results) - failed} done, "
        f"{failed} failed, {time.perf_counter() - begin:.1f} s, in {kept}"
    )
    if failed:
        raise typer.Exit(1)


def _result_line(result: sweep.Result) -> str:
    if result.failure is not None:
        told = f"FAILED: {result.failure}"
    elif result.value is not None and len(result.value) <= 40:
        told = result.value
    else:
        told = "out of the range of a double" if result.double is None else f"{result.double!r}"
    return f"{result.case}: {told}  ({result.seconds:.2f} s)"


# ---------------------------------------------------------------- book
@app.command()
def book(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Only pages that changed; for writing prose.")
    ] = False,
) -> None:
    """Build the book; every page is executed."""
    source = bookbuild.pages()
    checkout = source.parent.joinpath("pyproject.toml").is_file()
    out = source if checkout else Path("metastable-book")
    index = bookbuild.build(source, out, execute="cache" if cached else "force")
    print(index)
    if open_it:
        webbrowser.open(index.as_uri())


# ---------------------------------------------------------------- shared
def _point(family: Family, text: str) -> dict[str, Fraction]:
    return family.domain.complete(_numbers(text))


def _numbers(text: str) -> dict[str, Fraction]:
    """What stands after --at."""
    given: dict[str, Fraction] = {}
    for part in text.split(","):
        name, equals, number = (x.strip() for x in part.partition("="))
        if not equals or not name:
            raise InputError(f"--at {text!r}: write it as K=8,M=5,epsilon=1/1000")
        if name in given:
            raise InputError(f"--at: {name} is given twice")
        try:
            given[name] = parse_number(number)
        except ValueError as error:
            raise InputError(f"--at {name}: {error}") from error
    return given


def _require_writable(file: Path | None) -> None:
    """Find out before the work whether its result can be written."""
    if file is None:
        return
    if file.is_dir() or not file.parent.is_dir():
        raise InputError(f"{file}: cannot be written: name a file in a folder that exists")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise InputError(f"{file}: cannot be written: no permission, choose another place")


def _json(told: Mapping[str, Any]) -> dict[str, str]:
    """JSON texts: each object carries the version and the arguments."""
    extra = {"version": version("metastable"), "arguments": sys.argv[1:]}
    claims = told.get("claims")
    if claims is not None:
        return {"claims": json.dumps([c | extra for c in claims], indent=1) + "\n"}
    return {"object": json.dumps({**told, **extra}, indent=1)}


def _print_json(told: Mapping[str, Any]) -> None:
    print(_json(told)["object"])


def _shorten(value: object, name: str) -> str:
    if name.endswith("value") and isinstance(value, list) and isinstance(value[0], str):
        low, high = map(Fraction, value)
        return f"{_plain((low + high) / 2)} (exact enclosure with --json)"
    return str(value).replace("'", "")


@contextmanager
def _progress(total: int, *more: ProgressColumn) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal, nothing in a pipe."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *more,
    )
    terminal = sys.stderr.isatty()
    # What is printed meanwhile goes above the bar if both are on a terminal, else where it belongs.
    above = sys.stdout.isatty()
    with Progress(
        *columns, console=err, transient=True, disable=not terminal, redirect_stdout=above
    ) as bar:
        task = bar.add_task("", total=total)

        def advance(description: str, steps: int = 1) -> None:
            bar.update(task, description=description, advance=steps)

        yield advance
