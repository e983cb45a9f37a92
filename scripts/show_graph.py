"""Print a graph: every step with its type, and a mark where data is shuffled.

    python -m scripts.show_graph live|nightly

A test compares this with tests/golden/NAME.graph; write it there to accept a change.
"""

import sys

import apache_beam as beam
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.transforms.core import GroupByKey, ParDo
from apache_beam.transforms.userstate import is_stateful_dofn

from pipelines.live import build_live
from pipelines.nightly import build_nightly
from pipelines.sources import Replay
from schemas.policy import Policy


class Walk(PipelineVisitor):
    """Collects a line a step, in the order of the graph."""

    def __init__(self) -> None:
        """Start with none."""
        self.lines: list[str] = []

    def visit_transform(self, node: AppliedPTransform) -> None:
        """Take one step."""
        outputs = "; ".join(
            f"{tag or 'main'}: {_name(output.element_type)}"
            for tag, output in sorted(node.outputs.items(), key=str)
            if isinstance(output, beam.PCollection)
        )
        shuffle = ""
        if isinstance(node.transform, GroupByKey):
            shuffle = "  <shuffle>"
        elif isinstance(node.transform, ParDo) and is_stateful_dofn(node.transform.fn):
            shuffle = "  <shuffle: state>"
        self.lines.append(f"{node.full_label}  ->  {outputs}{shuffle}")


def _name(kind: object) -> str:
    return str(kind).replace("<class '", "").replace("'>", "").replace("pyarrow.lib.", "")


def picture(name: str) -> str:
    """Give the picture of a graph as text."""
    root = beam.Pipeline()
    if name == "live":
        source = Replay.__new__(Replay)
        source.files, source.lake, source.as_of = ["events.jsonl"], "lake", None
        build_live(root, source, "lake", Policy())
    else:
        build_nightly(root, [], "lake", "folder", {}, Policy())
    walk = Walk()
    root.visit(walk)
    return "\n".join(walk.lines) + "\n"


if __name__ == "__main__":
    print(picture(sys.argv[1] if len(sys.argv) > 1 else "live"), end="")
