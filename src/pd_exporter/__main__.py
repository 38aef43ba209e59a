"""Run as ``python -m pd_exporter``."""

from pd_exporter.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
