// The chart of an effect day by day: the estimate, its confidence sequence as a band, the interval of one look.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 260, 56, 12, 10, 34];

function s(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** A chart of looks as result.json has them.  words: what it shows, for who cannot see it. */
export function looksChart(looks, words) {
  const ends = looks.slice(Math.floor(looks.length / 4)).flatMap(({ sequence }) => [sequence.low, sequence.high]).filter(Number.isFinite);
  const reach = Math.min(1, 1.15 * Math.max(0.01, ...ends.map(Math.abs)));
  const [first, last] = [looks[0].day, looks.at(-1).day];
  const x = (day) => LEFT + ((WIDTH - LEFT - RIGHT) * (last === first ? 0.5 : (day - first) / (last - first)));
  const y = (value) => {
    const kept = Math.max(-reach, Math.min(reach, Number.isFinite(value) ? value : reach));
    return TOP + ((HEIGHT - TOP - BOTTOM) * (reach - kept)) / (2 * reach);
  };
  const line = (of) => looks.map((look) => `${x(look.day).toFixed(1)},${y(of(look)).toFixed(1)}`);
  const high = line(({ sequence }) => sequence.high);
  const low = line(({ sequence }) => sequence.low);
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "looks", role: "img", "aria-label": words },
    ...levels(reach, y),
    s("polygon", { class: "band", points: [...high, ...low.reverse()].join(" ") }),
    ...looks.map((look) => s("line", { class: "one-look", x1: x(look.day), x2: x(look.day), y1: y(look.fixed.low), y2: y(look.fixed.high) })),
    s("line", { class: "zero", x1: LEFT, x2: WIDTH - RIGHT, y1: y(0), y2: y(0) }),
    s("polyline", { class: "estimate", points: line(({ estimate }) => estimate).join(" ") }),
    ...looks.map((look) => s("circle", { class: "point", cx: x(look.day), cy: y(look.estimate), r: 3.5 })),
    ...days(first, last, x));
}

/** Lines and labels of the axis at the left. */
function levels(reach, y) {
  const step = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((each) => reach / each <= 3.5) ?? 0.5;
  const n = Math.floor(reach / step);
  return Array.from({ length: 2 * n + 1 }, (_, place) => (place - n) * step).flatMap((value) => {
    const text = `${value < 0 ? "−" : value > 0 ? "+" : ""}${Number((100 * Math.abs(value)).toFixed(1))}%`;
    return [s("line", { class: "level", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, text)];
  });
}

/** Labels of days. */
function days(first, last, x) {
  const step = Math.max(1, Math.ceil((last - first + 1) / 14));
  const shown = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => first + n * step);
  return shown.map((day) => s("text", { class: "tick", x: x(day), y: HEIGHT - 14, "text-anchor": "middle" }, `day ${day}`.slice(day === first ? 0 : 4)));
}
