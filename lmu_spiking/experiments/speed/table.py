"""What was measured, as text."""

NAMES = {"c": "C loop", "nengo": "Nengo", "nengo_dl": "NengoDL"}
NAMES |= {"nengo_ocl": "NengoOCL", "brian2": "Brian2", "lmu_spiking": "lmu_spiking"}


def label(row: dict) -> str:
    """A simulator, with its threads and trials where they are not 1."""
    more = f", {row['threads']} threads" if row["threads"] > 1 else ""
    more = f", {row['trials']} trials" if row["trials"] > 1 else more
    return NAMES[row["peer"]] + more


def tables(rows: list[dict]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """A table for each network: title to header and lines, sizes side by side.

    A cell has nanoseconds per neuron and step and how many times that is Nengo's speed.
    """
    of_cases = [row for row in rows if "kind" in row]
    kinds = dict.fromkeys((row["kind"], row["order"]) for row in of_cases)
    return {
        f"{kind}, order {order}": _table(
            [r for r in of_cases if (r["kind"], r["order"]) == (kind, order)]
        )
        for kind, order in kinds
    }


def _table(rows: list[dict]) -> tuple[list[str], list[list[str]]]:
    sizes = sorted({row["neurons"] for row in rows})
    cells = {(label(row), row["neurons"]): _cell(row) for row in rows}
    names = dict.fromkeys(label(row) for row in rows)
    header = ["simulator", *(f"m={m:,}" for m in sizes)]
    return header, [[n, *(cells.get((n, m), "") for m in sizes)] for n in names]


def _cell(row: dict) -> str:
    if row["status"] != "measured":
        return row["status"]
    times = row.get("times_nengo")
    if times is None:
        return f"{row['ns']:.3g}"
    return (
        f"{row['ns']:.3g} ({times:.0f}x)"
        if times > 9.5
        else (f"{row['ns']:.3g} ({times:.2g}x)")
    )


def reasons(rows: list[dict]) -> list[str]:
    """What to install for a simulator that is not here; why one cannot do a type."""
    lines = {}
    for row in rows:
        if row["status"] == "not installed":
            lines[f"{row['peer']}: not installed\n  {row['install']}"] = None
        elif row["status"] != "measured":
            lines[f"{row['peer']}, {row['kind']}: {row['reason']}"] = None
    return list(lines)


def panels(rows: list[dict]) -> dict[str, dict]:
    """What `figures.speed_figure` draws: by network and simulator, the times."""
    found: dict[str, dict] = {}
    for row in sorted(rows, key=lambda row: row.get("neurons", 0)):
        if row["status"] == "measured":
            lines = found.setdefault(f"{row['kind']}, order {row['order']}", {})
            neurons, ns = lines.setdefault(label(row), ([], []))
            neurons.append(row["neurons"])
            ns.append(row["ns"])
    return found
