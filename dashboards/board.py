"""A dashboard from its rows: positions, ids, links and what is the same on all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLink,
    DashboardLinkType,
)

from dashboards.variables import Variable
from dashboards.words import TAG
from pd_exporter.rules.alerts.alert import RUNBOOK_URL

Panel = stat.Panel | statetimeline.Panel | table.Panel | timeseries.Panel


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    Attributes:
        uid: What links know it by; it stays.
        title: What it is called.
        description: What one learns here.
        variables: What its reader chooses.
        rows: Panels by their row's title; each line of a row is 24 columns wide.
    """

    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    rows: Mapping[str, Sequence[Panel]]

    def build(self) -> build.Dashboard:
        """Place the rows and panels one after the other."""
        dashboard = (
            build.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG])
            .timezone("utc")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .time("now-1h", "now")
            .refresh("30s")
            .readonly()
            .links(_links())
        )
        for variable in self.variables:
            dashboard.with_variable(variable)
        number = 0
        for title, panels in self.rows.items():
            number += 1
            dashboard.with_row(build.Row(title).id(number))
            for panel in panels:
                number += 1
                dashboard.with_panel(panel.id(number))
        return dashboard


def _links() -> list[Builder[DashboardLink]]:
    others = build.DashboardLink("").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    runbook = build.DashboardLink("Runbook").type(DashboardLinkType.LINK).url(RUNBOOK_URL)
    return [
        others.include_vars(include_vars=True).keep_time(keep_time=True),
        runbook.icon("doc")
        .tooltip("What each alert means and what to do")
        .target_blank(target_blank=True),
    ]
