"""words: numbers as they stand in sentences and pictures."""


def grouped(number: float) -> str:
    return f"{number:,.0f}"


def several(count: float, word: str) -> str:
    return f"{grouped(count)} {word}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    for limit, scale, unit in ((1e-3, 1e6, "us"), (1, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * scale:.0f} {unit}"
    return f"{seconds:.3g} s"
