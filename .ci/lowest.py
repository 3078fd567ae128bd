"""Print the lowest versions that pyproject.toml allows, one `name==version` a line: `python .ci/lowest.py [EXTRA …]`.

Without an EXTRA those of the dependencies, with some those of these too. `--only NAME …` leaves out all others. CI installs
them, so that a bound that is not true fails there.
"""

import argparse
import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^]]*)\])?(?P<bounds>[^;]*)")


def lowest(project: dict, extras: list[str]) -> dict[str, str]:
    """name → version. Raises ValueError where a dependency has no lower bound.

    >>> lowest({"name": "a", "dependencies": ["b>=1.2,<2"], "optional-dependencies": {"c": ["d>=3"], "e": ["a[c]", "f>=4"]}}, ["e"])
    {'b': '1.2', 'd': '3', 'f': '4'}
    """
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    found: dict[str, str] = {}
    for requirement in wanted:
        match = _REQUIREMENT.match(requirement)
        if match is None:
            raise ValueError(f"{requirement!r} is no requirement")
        if match["name"] == project["name"]:
            found |= lowest({**project, "dependencies": []}, [extra.strip() for extra in match["extras"].split(",")])
            continue
        bound = re.search(r">=\s*([0-9][0-9a-z.]*)", match["bounds"])
        if bound is None:
            raise ValueError(f"{requirement!r} has no lower bound")
        found[match["name"]] = bound[1]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extras", nargs="*")
    parser.add_argument("--only", nargs="*", default=[], help="these, beside the dependencies")
    options = parser.parse_args()
    project = tomllib.loads(PROJECT.read_text())["project"]
    core = lowest(project, [])
    for name, version in lowest(project, options.extras).items():
        if name in core or not options.only or name in options.only:
            print(f"{name}=={version}")


if __name__ == "__main__":
    main()
