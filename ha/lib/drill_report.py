"""The end of every drill's report: figures, broken promises, examples of them."""

EXAMPLES_MAX = 5


def examples(found):
    """A few of each kind of what was found, in words."""
    return {name: [str(one) for one in some[:EXAMPLES_MAX]] for name, some in found.items() if some}


def broken(figures, promises, where=""):
    """The promises that the figures break; each is broken by anything but zero."""
    return [f"{where}{name}: {figures[name]}" for name in promises if figures[name]]


def print_figures(figures, names):
    print()
    for name in names:
        print(f"{name:<34}{figures[name]:>12}")


def print_verdict(result, title, found):
    """`found` has examples by where they were seen."""
    for promise in result["broken_promises"]:
        print(f"BROKEN: {promise}")
    for where, kinds in found.items():
        for name, some in kinds.items():
            print(f"  {where}{name}, for example: {', '.join(some)}")
    if not result["broken_promises"]:
        print(f"{title}, {result['rounds']} rounds: all promises kept")
