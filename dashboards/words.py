"""Names on the dashboards: where they link to, what is called how, and in which colour."""

from pd_exporter.policy import SCALE_DOWN_WINDOW_SECONDS

TAG = "pd-autoscaling"
"""What the dashboards know each other by."""

PREFILL, DECODE = "prefill", "decode"
"""The roles that have rows of their own; other names are aliases in the configuration."""

HIGHEST_REQUIRED = f"highest of {SCALE_DOWN_WINDOW_SECONDS // 60} min"
"""To what the HPA scales in: the most that was required within its window."""

COLOURS = {
    "required": "orange",
    HIGHEST_REQUIRED: "light-orange",
    "required (KV demand)": "orange",
    "required (GPU memory)": "light-yellow",
    "ready": "green",
    "serving": "super-light-green",
    "desired": "blue",
    "min": "#8e8e8e",
    "max": "#8e8e8e",
    "threshold": "red",
    "goal": "red",
    "target": "blue",
    "now": "green",
    "cap": "red",
    "lag": "purple",
    "pending": "super-light-purple",
    "wait": "purple",
    "busy": "purple",
    "offered": "super-light-orange",
    "arrivals, 1 min": "super-light-yellow",
    "arrivals, 5 min": "yellow",
    "deliveries, 1 min": "purple",
    "measured": "purple",
    "prior": "#8e8e8e",
    "firing": "red",
}
"""Of a line that always has one name, the same on every panel; others take the palette's."""

BOUNDS = ("min", "max", "threshold", "goal", "target", "prior", "cap", HIGHEST_REQUIRED)
"""What was asked for or configured is dashed; what was read is not."""
