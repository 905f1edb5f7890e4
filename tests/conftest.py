"""What all tests share: every claim is derived once a session, and only when it is asked for."""

import importlib.util
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import settings

from theory.claims import Derivation
from theory.family import built_in

HERE = Path(__file__).parent
settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


class Shared(Derivation):
    """A derivation that finds in a folder what another process has derived in this session."""

    def __init__(self, family, folder):
        super().__init__(family)
        self.folder = folder

    def claim(self, quantity):
        file = self.folder / f"{self.family.id}-{quantity}.pickle"
        if quantity in self.recipes and quantity not in self._claims:
            if file.is_file():
                self._claims[quantity] = pickle.loads(file.read_bytes())
            else:
                part = file.with_suffix(f".{os.getpid()}")
                part.write_bytes(pickle.dumps(super().claim(quantity)))
                part.replace(file)
        return super().claim(quantity)


@pytest.fixture(scope="session")
def derivations(tmp_path_factory):
    """Family id -> its derivation, which keeps the claims that it has derived."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "claims"
    folder.mkdir(exist_ok=True)
    return {name: Shared(family, folder) for name, family in built_in().items()}


@pytest.fixture(scope="session")
def claim(derivations):
    """``claim("ring", "hitting-time")``."""
    return lambda family, quantity: derivations[family].claim(quantity)


@pytest.fixture(scope="session")
def blind():
    """``blind("ring")``: the module of the second derivations with that name."""

    def load(name):
        path = HERE / "blind" / f"{name}.py"
        assert path.is_file(), f"no second derivation of {name}: write {path.relative_to(HERE)}"
        spec = importlib.util.spec_from_file_location(f"blind_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
