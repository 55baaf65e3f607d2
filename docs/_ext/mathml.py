"""Equations as MathML, which browsers draw themselves: no script, no network.

Docutils knows how to turn LaTeX into MathML; Sphinx only has to be told to ask it.
"""

from docutils.nodes import SkipNode
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def mathml(latex: str, node, as_block: bool) -> str:
    """`latex` as a MathML element; a warning, and the source, where that fails."""
    if as_block and (r"\\" in latex or "&" in latex) and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    try:
        return latex2mathml.tex2mathml(latex, as_block=as_block)
    except Exception as error:  # MathError carries the place, others mean the same
        logger.warning("no MathML for %r: %s", latex, error, location=node)
        return f"<code>{latex}</code>"


def inline(self, node) -> None:
    """Equation within a line."""
    self.body.append(mathml(node.astext(), node, as_block=False))
    raise SkipNode


def displayed(self, node) -> None:
    """Equation on lines of its own."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(mathml(node.astext(), node, as_block=True))
    self.body.append("</div>\n")
    raise SkipNode


def setup(app: Sphinx) -> dict:
    """Register the renderer `html_math_renderer = "mathml"`."""
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
