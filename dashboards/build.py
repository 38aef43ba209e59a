"""Write the dashboards' JSON.

Usage: ``python -m dashboards.build`` writes it; with ``--check`` it writes nothing and fails if a
file differs from what it would write.
"""

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import exporter, gpus, queues, service
from dashboards.board import Board

FOLDER = Path(__file__).parent / "generated"
BOARDS = (service.board, queues.board, gpus.board, exporter.board)


def render(board: Board) -> str:
    """The dashboard as Grafana imports it; the same at each call."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return encoder.encode(board.build().build()) + "\n"


def files() -> dict[Path, str]:
    """What each file has to hold."""
    boards = [make() for make in BOARDS]
    return {FOLDER / f"{board.uid}.json": render(board) for board in boards}


def main() -> int:
    """Write or check every file; the exit status is 1 where a check finds a difference."""
    wanted = files()
    strays = set(FOLDER.glob("*.json")) - wanted.keys()
    if "--check" not in sys.argv:
        FOLDER.mkdir(exist_ok=True)
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        for path in strays:
            path.unlink()
        return 0
    differ = {
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path in sorted(differ | strays):
        sys.stderr.write(f"dashboards/generated/{path.name} is out of date; run make generate\n")
    return int(bool(differ | strays))


if __name__ == "__main__":
    raise SystemExit(main())
