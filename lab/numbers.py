"""How the terminal writes a number."""


def number(value: float | None) -> str:
    """A metric as text: four significant digits or decimals."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
