"""`python -m grafana` writes the dashboards' files anew."""

from grafana.generate import contents
from grafana.shipped import DIRECTORY

if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for name, content in contents().items():
        (DIRECTORY / name).write_bytes(content)
