"""Plots as SVG, by hand: nothing to install."""

WIDTH, LEFT, RIGHT, HEIGHT, GAP, TOP = 920, 60, 20, 130, 46, 40
INK, GRID, GOOD, BAD, OTHER, ILL = "#333", "#e3e3e3", "#2a78b5", "#c0392b", "#e08e2b", "#f6e3e1"


class Panel:
    """One diagram over time."""

    def __init__(self, number, title, lasts, most):
        self.top, self.lasts, self.most, self.parts = TOP + number * (HEIGHT + GAP), lasts, most, []
        self.text(LEFT, self.top - 8, title)

    def x(self, at):
        return LEFT + (WIDTH - LEFT - RIGHT) * at / self.lasts

    def y(self, value):
        return self.top + HEIGHT * (1 - min(value, self.most) / self.most)

    def text(self, x, y, text, anchor="start", size=12):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{INK}" text-anchor="{anchor}">{text}</text>')

    def shade(self, start, end, label):
        self.parts.insert(0, f'<rect x="{self.x(start):.1f}" y="{self.top}" width="{self.x(end) - self.x(start):.1f}" height="{HEIGHT}" fill="{ILL}"/>')
        self.text(self.x((start + end) / 2), self.top + 12, label, "middle", 11)

    def grid(self, step):
        for n in range(int(self.most / step) + 1):
            y = self.y(n * step)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            self.text(LEFT - 6, y + 4, f"{n * step:g}", "end", 11)
        for at in range(0, int(self.lasts) + 1, 20):
            self.text(self.x(at), self.top + HEIGHT + 14, f"{at} s", "middle", 11)

    def line(self, points, colour):
        path = " ".join(f"{self.x(at):.1f},{self.y(value):.1f}" for at, value in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')

    def dots(self, points, colour):
        self.parts += [f'<circle cx="{self.x(at):.1f}" cy="{self.y(value):.1f}" r="1.6" fill="{colour}"/>' for at, value in points]


def svg(panels, title):
    height = TOP + len(panels) * (HEIGHT + GAP)
    inside = "\n".join(part for panel in panels for part in panel.parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img">\n'
            f"<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{inside}\n</svg>\n")


def incident(seen, asked):
    """Goodput, first tokens and who was asked through the incident of incident.py."""
    lasts, fates, watched = seen["lasts"], seen["fates"], seen["watched"]
    ends = [(f["due"] + f["took"], f) for f in fates]
    each = lambda fits: [(s + 0.5, sum(fits(f) and s <= at < s + 1 for at, f in ends)) for s in range(int(lasts))]
    answered, failed = each(lambda f: not f["error"]), each(lambda f: bool(f["error"]))
    goodput = Panel(0, "answered calls each second (blue), failed calls (red)", lasts, 25)
    goodput.grid(5)
    goodput.line(answered, GOOD)
    goodput.line(failed, BAD)
    firsts = [(f["due"], f["first"]) for f in fates if f["first"] is not None]
    first = Panel(1, "seconds to the first token of a stream, to the whole of an answer; a dot is a call", lasts, 4)
    first.grid(1)
    first.dots(firsts, GOOD)
    regions = Panel(2, "requests each second to the region that fails (orange) and to the healthy one (blue)", lasts, 25)
    regions.grid(5)
    for name, colour in (("east", OTHER), ("west", GOOD)):
        regions.line([(s + 1, asked(watched, name, s, s + 2) / 2) for s in range(int(lasts) - 1)], colour)
    for panel in (goodput, first, regions):
        for phase in seen["phases"]:
            panel.shade(phase["from"], phase["to"], phase["kind"])
    return svg([goodput, first, regions], "A region fails three ways and comes back")
