"""Team draft interleaving as its paper writes it."""


def algorithm_2(first, second, coin):
    """Radlinski, Kurup and Joachims 2008, algorithm 2: the list I and the teams A and B."""
    interleaved, team_a, team_b = [], [], []
    while any(a not in interleaved for a in first) and any(b not in interleaved for b in second):
        if len(team_a) < len(team_b) or (len(team_a) == len(team_b) and coin() == 0):
            k = min(i for i, a in enumerate(first) if a not in interleaved)
            interleaved.append(first[k])
            team_a.append(first[k])
        else:
            k = min(i for i, b in enumerate(second) if b not in interleaved)
            interleaved.append(second[k])
            team_b.append(second[k])
    return interleaved, team_a, team_b
