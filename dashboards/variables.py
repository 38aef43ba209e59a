"""What the reader of a dashboard chooses at its top."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.query import ONE_SERVICE
from pd_exporter.catalogue import gpu, own, queue, roles

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""Never a data source by name: the one that the reader chooses."""

_SERVICES = f'__name__=~"{queue.UP.name}|{roles.REPLICAS_READY.name}|{gpu.POD_INFO.name}"'
"""What one of the collectors says of each service."""

Variable = build.DatasourceVariable | build.QueryVariable


def _source(name: str, label: str, series: str) -> build.QueryVariable:
    return _query(name, label, series, "source")


def _query(name: str, title: str, series: str, label: str = "") -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(title)
        .datasource(DATASOURCE)
        .query(f"label_values({series}, {label or name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _several(variable: build.QueryVariable) -> build.QueryVariable:
    everything = VariableOption(text="All", value="$__all")
    return variable.multi(True).include_all(True).current(everything)


def _any(variable: build.QueryVariable) -> build.QueryVariable:
    # Not a list of all values: a pod that plays no role has an empty group.
    return _several(variable).all_value(".*")


def datasource() -> build.DatasourceVariable:
    """Which Prometheus to ask."""
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus")


def one_service() -> tuple[Variable, ...]:
    """Data source, namespace and group of one service, and whose word counts for each role."""
    return (
        datasource(),
        _query("namespace", "Namespace", f"{{{_SERVICES}}}"),
        _query("group", "Group", f'{{{_SERVICES}, namespace="$namespace"}}'),
        _source("source", "Prefill source", f"role:pd_pending_requests:sum{{{ONE_SERVICE}}}"),
        _source("decode_source", "KV source", f"role:pd_kv_cache_demand:sum{{{ONE_SERVICE}}}"),
    )


def services() -> tuple[Variable, ...]:
    """Data source, namespaces and groups: all, until some are chosen."""
    return (
        datasource(),
        _any(_query("namespace", "Namespace", f"{{{_SERVICES}}}")),
        _any(_query("group", "Group", f'{{{_SERVICES}, namespace=~"$namespace"}}')),
    )


def nodes() -> build.QueryVariable:
    """Nodes with GPUs."""
    return _any(_query("node", "Node", gpu.UP.name))


def jobs() -> build.QueryVariable:
    """Scrape jobs of the exporter, of its Deployment and of its DaemonSet, and no others."""
    return _several(_query("job", "Job", own.BUILD_INFO.name))
