"""implicit's ALS in an environment of its own: reads a word a line, does it, and answers with seconds.

The seconds are those of the clock, and those of all processors together.

Its command line: a CSR matrix (.npz), factors, iterations.  The words: fit, recommend, fold-in.
"""

import sys
import time

import numpy as np
import scipy.sparse
from implicit.als import AlternatingLeastSquares

K = 20


def main() -> None:
    path, factors, iterations = sys.argv[1:]
    clicks = scipy.sparse.csr_matrix(scipy.sparse.load_npz(path), dtype=np.float32)
    users = np.arange(clicks.shape[0])

    def new() -> AlternatingLeastSquares:
        return AlternatingLeastSquares(
            factors=int(factors), iterations=int(iterations), alpha=10, use_gpu=False
        )

    model = new()
    jobs = {
        "fit": lambda: new().fit(clicks, show_progress=False),
        "recommend": lambda: model.recommend(users, clicks, N=K),
        "fold-in": lambda: model.recommend(users, clicks, N=K, recalculate_user=True),
    }
    model.fit(clicks, show_progress=False)
    for line in sys.stdin:
        clock, processors = time.perf_counter(), time.process_time()
        jobs[line.strip()]()
        print(time.perf_counter() - clock, time.process_time() - processors, flush=True)


if __name__ == "__main__":
    main()
