"""Draw the rooms of `lmu_spiking` and who imports whom: ``python docs/rooms.py``.

The picture, ``docs/figures/rooms.svg``, is made from the import graph.  A room stands
above all that it imports.  An arrow that follows from two others is left out, as are
those to `errors` and `files`, which every room may import.
"""

import ast
import itertools
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "figures" / "rooms.svg"
PACKAGE = "lmu_spiking"

WIDTH, HEIGHT = 158, 46  # of a box, pixels
ACROSS, DOWN = 186, 92  # from one box to the next
INK, PAPER, LINE, SOFT = "#1b1b1b", "#f5f5f2", "#0072b2", "#555555"


def imports_of_rooms() -> dict[str, set[str]]:
    """Return the rooms that each room imports; a room is a folder of the package."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    rooms = sorted(path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py"))
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for room in rooms:
        inside = {f"{PACKAGE}.{room}", *graph.find_descendants(f"{PACKAGE}.{room}")}
        for module in inside:
            for name in graph.find_modules_directly_imported_by(module):
                other = name.split(".")[1] if name.startswith(f"{PACKAGE}.") else room
                if other in found and other != room:
                    found[room].add(other)
    return found


def levels(imports: dict[str, set[str]]) -> dict[str, int]:
    """Return the floor of each room: one more than the highest floor it imports."""
    floors: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in floors:
            floors[room] = max((floor(x) + 1 for x in imports[room]), default=0)
        return floors[room]

    for room in imports:
        floor(room)
    return floors


def direct(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the imports that do not follow from others (a transitive reduction)."""

    def below(room: str) -> set[str]:
        return set(imports[room]).union(*(below(x) for x in imports[room]))

    return {
        room: {x for x in named if not any(x in below(y) for y in named - {x})}
        for room, named in imports.items()
    }


def purpose(room: str) -> str:
    """Return the first line of the docstring of a room."""
    source = (ROOT / PACKAGE / room / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]


def arranged(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the floors from the top, each ordered so that few arrows cross."""
    floors = levels(imports)
    top = max(floors.values())
    rows = [
        sorted(room for room in imports if floors[room] == k)
        for k in range(top, -1, -1)
    ]
    arrows = direct(imports)

    def crossing(rows: list[list[str]]) -> float:
        x = places(rows)
        return sum(abs(x[a][0] - x[b][0]) for a, named in arrows.items() for b in named)

    # try all orders of a floor against the others as they are, until nothing improves
    best = crossing(rows)
    while True:
        before = best
        for k, row in enumerate(rows):
            for order in itertools.permutations(row):
                tried = [*rows[:k], list(order), *rows[k + 1 :]]
                if (value := crossing(tried)) < best - 1e-9:
                    rows, best = tried, value
        if best >= before:
            return rows


def places(rows: list[list[str]]) -> dict[str, tuple[float, float]]:
    """Return the centre of each room's box, pixels."""
    widest = max(map(len, rows))
    return {
        room: (ACROSS * (widest / 2 + i - (len(row) - 1) / 2), 40 + DOWN * k)
        for k, row in enumerate(rows)
        for i, room in enumerate(row)
    }


def picture() -> str:
    """Return the picture as SVG."""
    imports = imports_of_rooms()
    rows = arranged(imports)
    x = places(rows)
    width = ACROSS * max(map(len, rows))
    height = 40 + DOWN * (len(rows) - 1) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" font-family="sans-serif">',
        "<title>The rooms of lmu_spiking, and what each imports</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{LINE}"/>'
        "</marker></defs>",
    ]
    for room, named in direct(imports).items():
        for other in sorted(named):
            (ax, ay), (bx, by) = x[room], x[other]
            ay, by = ay + HEIGHT / 2, by - HEIGHT / 2
            bend = (by - ay) / 2
            parts.append(
                f'<path d="M{ax:g} {ay:g}C{ax:g} {ay + bend:g} {bx:g} {by - bend:g} '
                f'{bx:g} {by - 1:g}" fill="none" stroke="{LINE}" stroke-opacity=".55" '
                'stroke-width="1.4" marker-end="url(#tip)"/>'
            )
    for room, (cx, cy) in x.items():
        parts += [
            f"<g><title>{escape(purpose(room))}</title>",
            f'<rect x="{cx - WIDTH / 2:g}" y="{cy - HEIGHT / 2:g}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="5" fill="#fff" stroke="{INK}"/>',
            f'<text x="{cx:g}" y="{cy - 3:g}" text-anchor="middle" font-size="15" '
            f'fill="{INK}">{room}/</text>',
            f'<text x="{cx:g}" y="{cy + 14:g}" text-anchor="middle" font-size="10.5" '
            f'fill="{SOFT}">{escape(LABELS[room])}</text></g>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


# What stands in each box; the whole sentence is the docstring of the room.
LABELS = {
    "cli": "the command lmu-spiking",
    "conversion": "rate-based → spiking",
    "dynamics": "LDN, Principle 3",
    "estimators": "for scikit-learn",
    "experiments": "papers, rivals, benchmarks",
    "lmu": "parameters, equations",
    "loihi": "layouts, deploy, energy",
    "memory": "spec, basis, design",
    "networks": "LegendreMemory, LMUCell",
    "neurons": "types, tuning curves",
    "nir": "export, import",
    "plots": "figures of a run",
    "signals": "white noise, ECG, files",
    "simulator": "Nengo networks, compiled",
    "studies": "trials, sweeps, reports",
    "tasks": "labelled sequences",
    "theory": "predict, plan",
    "training": "train, two engines",
}

if __name__ == "__main__":
    drawn = picture()
    PICTURE.write_text(drawn, encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
