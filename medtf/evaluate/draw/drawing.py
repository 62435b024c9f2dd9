"""How every figure is drawn. Figures are made without pyplot, so there is no global state and no display is needed.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; lines also differ in their dashes.
"""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from medtf.evaluate.metrics import interval_text

BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#1F2933"


def png(figure: Figure, dpi: int = 144) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.08, metadata={"Software": None}
    )  # equal figures, equal bytes
    return buffer.getvalue()


def new_axes(title: str, x: str, y: str, size: tuple[float, float] = (4.8, 4.6)):
    """A figure and its one pair of axes, in the house's style."""
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    dress(axes, title, x, y)
    return figure, axes


def dress(axes, title: str, x: str, y: str) -> None:
    """Title, labels and a quiet grid."""
    axes.set_title(plain(title), loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#E4E7EB", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK)


def range_text(metric: dict) -> str:
    """`  (0.91 to 0.95)`, or nothing where there is no interval."""
    return f"  ({interval_text(metric)})" if metric.get("low") is not None else ""


def legend(axes) -> None:
    """Below the axes, where it hides no data."""
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.14), borderaxespad=0, frameon=False, fontsize=10)


def short(label, most: int = 18) -> str:
    """A label that fits under a tick."""
    label = plain(str(label))
    return label if len(label) <= most else label[: most - 1] + "…"


def plain(text: str) -> str:
    """Names of columns and classes may hold a dollar sign, which matplotlib would read as a formula."""
    return text.replace("$", r"\$")
