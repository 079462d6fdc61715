"""The dashboard in docs/ draws figures that exist."""

import json
import re

import kit
import places

DASHBOARD = places.ROOT / "docs" / "grafana" / "warren.json"


def expressions():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]


def test_every_figure_of_the_dashboard_exists():
    """Each figure and label that docs/grafana draws is in /metrics of a node that works"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as connection:
        kit.declare(connection, "q")
        kit.publish(connection, "q", kit.numbered(10))
        status, body = cluster.nodes[0].get("/metrics")
        kit.check_equal(status, 200, "/metrics")
        served = set(re.findall(r"^([a-z_]+)", body.decode(), re.MULTILINE))
        drawn = {(title, name) for title, expression in expressions() for name in re.findall(r"\b((?:rabbitmq|warren)_[a-z_]+)\b(?!=|\s*[,)]\s*(?:rabbitmq_node|rabbitmq_identity))", expression)}
        labels = {"rabbitmq_cluster", "rabbitmq_node"}
        missing = sorted((title, name) for title, name in drawn if name not in served | labels)
        kit.check(len(drawn) > 30 and not missing, f"not served: {missing}")
        for label in labels:
            kit.check(f'{label}="' in body.decode(), f"no label {label}")
