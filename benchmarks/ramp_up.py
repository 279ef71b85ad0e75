"""From cold to warm on MovieLens-1M: hr@10 of new items with 0, 1, 2, 5, 10 and 20 clicks, one seed.

Needs --data: a folder with interactions.parquet and items.parquet. Draws results/ramp_up_ml1m.svg, too.
"""

from itertools import pairwise

from common import FIELDS, RESULTS, movielens, report

from isotherm import EASE, ContentKNN, KernelRidge, MARec, ramp_up
from isotherm.report.evaluation_figures import ramp_lines


def main() -> None:
    clicks, items = movielens(__doc__)
    made = {"ease": EASE, "content-knn": ContentKNN, "marec": MARec, "kernel-ridge": KernelRidge}
    # the new items' rise is asked for, and a film that nobody ever clicked has none
    found = ramp_up(
        clicks, lambda: ((name, model()) for name, model in made.items()), items, candidates="clicked"
    )
    hits = {
        name: [sets["cold"]["hr@10"].mean for sets in steps.values()] for name, steps in found.values.items()
    }
    ours = hits["kernel-ridge"]
    for name, values in hits.items():
        print(f"{name:14}", *(f"{value:.4f}" for value in values))
    (RESULTS / "ramp_up_ml1m.svg").write_text(ramp_lines(found, "hr@10"), encoding="utf-8")
    report(
        "ramp_up_ml1m",
        [
            {
                "what": "kernel-ridge among new items: least step of hr@10 over the step before",
                "measured": min(b / a for a, b in pairwise(ours)),
                "target": ">= 1",
            },
            {
                "what": "kernel-ridge over the better of ease and marec, least of all steps",
                "measured": min(
                    o / max(e, m) for o, e, m in zip(ours, hits["ease"], hits["marec"], strict=True)
                ),
                "target": ">= 1",
            },
        ],
        fields=FIELDS,
        split=found.split,
        values=found.to_dict()["models"],
    )


if __name__ == "__main__":
    main()
