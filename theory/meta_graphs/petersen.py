"""The Petersen graph."""

from __future__ import annotations

from theory.meta_graphs.edge_list import EdgeList


class Petersen(EdgeList):
    """A ring of five, a five-pointed star, and spokes from the one to the other.

    Every cluster has three neighbours, and any two others have one neighbour in common: from a
    neighbour of the target the time is 9, from any other cluster 12.
    """

    id = "petersen"
    title = "Petersen graph"
    ends_alike = True
    clusters_alike = True
    edges = (
        *((k, (k + 1) % 5) for k in range(5)),
        *((k, k + 5) for k in range(5)),
        *((k + 5, (k + 2) % 5 + 5) for k in range(5)),
    )
    start_cluster, target_cluster = 1, 0
