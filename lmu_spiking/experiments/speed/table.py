"""Measured times as text, and as lines of a figure."""

NAMES = {"c": "C loop", "nengo": "Nengo", "nengo_dl": "NengoDL"}
NAMES |= {"nengo_ocl": "NengoOCL", "brian2": "Brian2", "lmu_spiking": "lmu_spiking"}


def label(row: dict) -> str:
    """Return a simulator's name, with its threads and trials where they are not 1.

    Parameters
    ----------
    row : dict

    Returns
    -------
    str
    """
    more = f", {row['threads']} threads" if row["threads"] > 1 else ""
    more = f", {row['trials']} trials" if row["trials"] > 1 else more
    return NAMES[row["peer"]] + more


def tables(rows: list[dict]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Return a table for each network: title to header and lines, sizes side by side.

    A cell has nanoseconds per neuron and step and how many times that is Nengo's speed.

    Parameters
    ----------
    rows : list of dict
        From `run.compare`.

    Returns
    -------
    dict of (list, list)
    """
    networks: dict[str, list[dict]] = {}
    for row in (row for row in rows if "kind" in row):
        networks.setdefault(f"{row['kind']}, order {row['order']}", []).append(row)
    made = {}
    for title, mine in networks.items():
        sizes = sorted({row["neurons"] for row in mine})
        cells = {(label(row), row["neurons"]): _cell(row) for row in mine}
        names = dict.fromkeys(label(row) for row in mine)
        lines = [[n, *(cells.get((n, m), "") for m in sizes)] for n in names]
        made[title] = ["simulator", *(f"m={m:,}" for m in sizes)], lines
    return made


def _cell(row: dict) -> str:
    """Return the time of a row, and how many times as fast as Nengo that is."""
    if row["status"] != "measured":
        return row["status"]
    times = row.get("times_nengo")
    if times is None:
        return f"{row['ns']:.3g}"
    return f"{row['ns']:.3g} ({times:{'.0f' if times > 9.5 else '.2g'}}x)"


def reasons(rows: list[dict]) -> list[str]:
    """Return what to install for a simulator, or why one cannot do a type.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    list of str
    """
    lines = {}
    for row in rows:
        if row["status"] == "not installed":
            lines[f"{row['peer']}: not installed\n  {row['install']}"] = None
        elif row["status"] != "measured":
            lines[f"{row['peer']}, {row['kind']}: {row['reason']}"] = None
    return list(lines)


def panels(rows: list[dict]) -> dict[str, dict]:
    """Return the times by network and simulator, for `figures.speed.speed_figure`.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    dict of dict
    """
    found: dict[str, dict] = {}
    for row in sorted(rows, key=lambda row: row.get("neurons", 0)):
        if row["status"] == "measured":
            lines = found.setdefault(f"{row['kind']}, order {row['order']}", {})
            neurons, ns = lines.setdefault(label(row), ([], []))
            neurons.append(row["neurons"])
            ns.append(row["ns"])
    return found
