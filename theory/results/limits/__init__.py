"""R7 with constants: what local information leaves to a learner that asks for averages.

The task, after Kim et al. (2025, section 5).  A path crosses L candidate edges.  Candidate i shows
an element x_i of a finite group; if it is truly sparse it moves the answer by x_i, and if it is a
decoy, an edge inside a cluster, it does nothing.  The answer is the product over the truly sparse
ones, a hidden set S, applied to a base point; the first that is crossed acts first.

The dimension, ours.  A hypothesis S is the law D_S of (x, answer).  Against the law D_0 under which
the answer is uniform on the points that it may take, and independent of x, it is the function
v_S = (dD_S/dD_0 - 1)/sqrt(n - 1) in L^2(D_0), where n is the number of these points; ||v_S|| = 1.
For a mean-zero observable phi of the answer, v_S(x) = phi(answer)/(mean of phi^2)^(1/2) instead.
The *statistical dimension* of a finite set H of hypotheses is

    dim H = |H| / max_S sum_T |<v_S, v_T>|,

the inverse of the largest average correlation: |H| if they are uncorrelated, 1 if they are all the
same.  *With access to side information* I, a function of the hypothesis, it is the least dim of the
sets {S : I(S) = i} that a value i leaves.

Theorem (queries).  Let a query be a function g of (x, answer) with ||g - E_0 g|| <= 1 in L^2(D_0),
or a vector of functions with the sum of their squared norms at most 1.  At most |H|/(D tau^2)
hypotheses have |E_S g - E_0 g| > tau, where D = dim H/(n - 1), or dim H for one observable.  So an
oracle that may err by tau answers E_0 g, free of S, to all q queries of a learner, but for a share
q/(D tau^2) of hypotheses.

Proof.  With c_S = <g, v_S> and B the Gram matrix, (sum c_S^2)^2 = <g, sum c_S v_S>^2
<= ||sum c_S v_S||^2 = c B c <= (max row sum of |B|) sum c_S^2 (Cauchy-Schwarz, then Schur's test).
For a vector of functions, sum these over its entries.

This is the argument of Blum et al. (1994) in the form of Szorenyi (2009); average correlations are
those of Feldman et al. (2017), and `hypothesis_tests` is the SDA of Brennan et al. (2021).
"""

from theory.results.limits import product_form_check
from theory.results.limits.closed_forms import (
    Case,
    basis_case,
    biased_case,
    correlation,
    cyclic_case,
    fully_correlated_case,
    observed_case,
    one_element_case,
    structured,
    structured_count,
    structured_dimension,
    uniform_case,
)
from theory.results.limits.dimension import (
    Enumeration,
    dimension,
    enumeration,
    gram_by_enumeration,
    hypothesis_tests,
)
from theory.results.limits.isomorphism import is_isomorphism, isomorphism, neighbourhood
from theory.results.limits.problem import Problem, biased, on_or_off, uniform
from theory.results.limits.product_form import product_form
from theory.results.limits.queries import accuracy_bound, claims, share_caught
from theory.results.limits.task import (
    LEVELS,
    Instance,
    alike,
    ambiguous,
    dimension_by_views,
    dimension_with_access,
    seen_from_path,
    told_by_neighbourhood,
)

__all__ = [
    "LEVELS",
    "Case",
    "Enumeration",
    "Instance",
    "Problem",
    "accuracy_bound",
    "alike",
    "ambiguous",
    "basis_case",
    "biased",
    "biased_case",
    "claims",
    "correlation",
    "cyclic_case",
    "dimension",
    "dimension_by_views",
    "dimension_with_access",
    "enumeration",
    "fully_correlated_case",
    "gram_by_enumeration",
    "hypothesis_tests",
    "is_isomorphism",
    "isomorphism",
    "neighbourhood",
    "observed_case",
    "on_or_off",
    "one_element_case",
    "product_form",
    "product_form_check",
    "seen_from_path",
    "share_caught",
    "structured",
    "structured_count",
    "structured_dimension",
    "told_by_neighbourhood",
    "uniform",
    "uniform_case",
]
