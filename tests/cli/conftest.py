"""How the tests call the command: in this process, with the claims of the session."""

import sys
from pathlib import Path

import pytest

from numerics import cli
from theory.catalogue import derivation as derive_anew
from theory.family import built_in

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def run(monkeypatch, capsys, derivations):
    """``run("derive", "ring")`` -> exit code, stdout, stderr."""

    def derivation(family):
        known = built_in().get(getattr(family, "id", ""))
        return (
            derive_anew(family) if known is None or family is not known else derivations[known.id]
        )

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["metastable", *map(str, arguments)])
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
            patch.setattr(cli, "derivation_of", derivation)
            cli.main()
        told = capsys.readouterr()
        return stop.value.code or 0, told.out, told.err

    return call


@pytest.fixture
def refuses(run):
    """Call with bad input; what it says, which is one line on stderr and nothing else."""

    def call(*arguments):
        code, out, err = run(*arguments)
        assert (code, out) == (2, ""), err
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert err.startswith("metastable: ")
        assert "Traceback" not in err
        return err.removeprefix("metastable: ").rstrip("\n")

    return call


@pytest.fixture
def courtois():
    return DATA / "courtois.csv"
