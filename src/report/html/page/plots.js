// Time-series plots, one for each field, whose cursors and times go together.

const SYNC = "diurnal";

const isNarrow = matchMedia("(max-width: 640px)");

/** All plots on the page, the heat map too. */
const drawn = [];

/** Room for the numbers at the left, the same for all, so that times stand one above the other. */
const gutter = () => (isNarrow.matches ? 58 : 92);

const FONT = "12px system-ui, sans-serif";

/** What all plots have in common: axes, cursor, zoom. */
function commonOptions(element, height) {
  return {
    width: Math.max(element.clientWidth, 200),
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    legend: { show: false },
    padding: [10, 14, 0, 0],
    cursor: {
      sync: { key: SYNC },
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
      bind: {
        dblclick: () => () => {
          showTime(whole.from, whole.until);
          return null;
        },
      },
    },
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          const [from, until] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          showTime(from, until);
        },
      ],
    },
  };
}

function timeAxis() {
  return {
    stroke: () => colour("--quiet"),
    font: FONT,
    size: 44,
    gap: 6,
    space: isNarrow.matches ? 60 : 76,
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
    // Days by their numbers, as everywhere on this page.
    values: [
      [31536000, "{YYYY}", null, null, null, null, null, null, 1],
      [2419200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
      [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
      [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
      [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
      [0.001, "{ss}.{fff}", "\n{YYYY}-{MM}-{DD} {HH}:{mm}", null, "\n{MM}-{DD} {HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
    ],
  };
}

/** The bucket values of a series as the library takes them: undefined joins, null breaks the line. */
function unpacked(plot, series, list) {
  const values = new Array(plot.buckets).fill(null);
  // Buckets can be narrower than the interval: those in between are no gap.
  const most = series.interval === null ? 0 : Math.ceil((1.5 * series.interval) / plot.width) - 1;
  let empty = 0;
  list.forEach((value, index) => {
    values[series.skip + index] = value;
    if (value === null) {
      empty += 1;
      return;
    }
    if (empty <= most) values.fill(undefined, series.skip + index - empty, series.skip + index);
    empty = 0;
  });
  return values;
}

function seriesShown(plot) {
  return plot.series.filter((series) => shown.hosts.has(series.host));
}

/** Hosts have their colours on the whole page; a plot with several series of one host has its own. */
function strokesOf(plot) {
  const hosts = new Set(plot.series.map((series) => series.host));
  const own = hosts.size < plot.series.length;
  return new Map(plot.series.map((series, number) => [series, strokeOf(own ? number : numberOfHost.get(series.host))]));
}

/** A plot in its card. */
function addPlot(plot) {
  const strokes = strokesOf(plot);
  const element = make("div", "plot");
  const readout = make("div", "readout");
  const when = make("p", "when quiet");
  const card = make("section", "card", plotHead(plot), element, when, readout);
  byId("plots").append(card);
  focusable(element, `Plot of ${plot.name}`);
  let chart = null;

  function build() {
    const visible = seriesShown(plot);
    const times = Array.from({ length: plot.buckets }, (_, index) => plot.start + (index + 0.5) * plot.width);
    const values = [times];
    const series = [{}];
    const bands = [];
    for (const one of visible) {
      const { colour: variable, dash } = strokes.get(one);
      const edge = { stroke: "transparent", width: 0, points: { show: false } };
      values.push(unpacked(plot, one, one.mid), unpacked(plot, one, one.hi), unpacked(plot, one, one.lo));
      bands.push({ series: [series.length + 1, series.length + 2], fill: () => colour(variable) + bandAlpha(visible.length) });
      series.push({ stroke: () => colour(variable), width: 1.25, dash, points: { size: 4 } }, { ...edge }, { ...edge });
    }
    chart?.destroy();
    const options = commonOptions(element, isNarrow.matches ? 210 : 260);
    options.series = series;
    options.bands = bands;
    options.scales = { x: { time: true }, y: { range: (_, low, high) => rangeOf(plot, low, high) } };
    options.axes = [
      timeAxis(),
      {
        stroke: () => colour("--quiet"),
        font: FONT,
        size: gutter(),
        gap: 8,
        grid: { stroke: () => colour("--line"), width: 1 },
        ticks: { show: false },
        values: (_, splits) => splits.map((split) => axisText(split, plot.unit)),
      },
    ];
    options.hooks.setCursor = [(self) => read(self.cursor.left >= 0 ? self.cursor.idx : null)];
    chart = new uPlot(options, values, element);
    chart.setScale("x", { min: shown.from, max: shown.until });
    entry.chart = chart;
    readouts(visible);
    read(null);
  }

  let cells = [];

  function readouts(visible) {
    cells = visible.map((one, number) => {
      const value = make("span", "value");
      const item = make("div", "item", swatch(strokes.get(one)), label(one), value);
      item.addEventListener("mouseenter", () => highlight(number));
      item.addEventListener("mouseleave", () => highlight(null));
      return { one, item, value };
    });
    readout.replaceChildren(...cells.map((cell) => cell.item));
    if (visible.length === 0) readout.append(make("p", "quiet", "No series of the chosen hosts."));
  }

  /** The lines of all others fade. */
  function highlight(number) {
    chart.series.forEach((series, place) => {
      series.alpha = number === null || place === 0 || Math.floor((place - 1) / 3) === number ? 1 : 0.15;
    });
    chart.bands.forEach((band, place) => {
      const variable = strokes.get(cells[place].one).colour;
      band.fill = () => 
        number === null ? colour(variable) + bandAlpha(cells.length) : number === place ? colour(variable) + bandAlpha(1) : "transparent";
    });
    chart.redraw();
  }

  /** The values at a bucket, or the mean over the report's time. */
  function read(index) {
    const start = plot.start + index * plot.width;
    when.textContent =
      index === null || index === undefined
        ? "Mean of the whole time. Point at the plot for the values of a bucket."
        : `${timeText(start, plot.width)} and ${span(plot.width)} on: mean (least to greatest)`;
    for (const { one, value } of cells) {
      value.textContent = index === null || index === undefined ? valueText(one.mean, plot.unit) : bucketText(plot, one, index);
    }
  }

  const entry = { element, chart: null, build };
  drawn.push(entry);
  build();
}

function bucketText(plot, series, index) {
  const at = index - series.skip;
  const mid = series.mid[at];
  if (mid === null || mid === undefined) return "–";
  const [low, high] = [series.lo[at], series.hi[at]];
  const mean = valueText(mid, plot.unit);
  return low === high ? mean : `${mean} (${valueText(low, plot.unit)} to ${valueText(high, plot.unit)})`;
}

function plotHead(plot) {
  const about = [plot.about, plot.common.join(" ")].filter(Boolean).join("; ");
  const head = make("div", "head", make("h2", "", name(plot.name)));
  const said = make("p", "quiet", about ? name(about) : "", about ? ". " : "", `${span(plot.width)} a point.`);
  if (plot.left_out > 0) {
    const more = plot.left_out_more ? "more than " : "";
    said.append(` ${more}${count(plot.left_out)} further series left out: these are the first by name.`);
  }
  head.append(said);
  return head;
}

function swatch(stroke) {
  const mark = make("i", stroke.dash ? "swatch dashed" : "swatch");
  mark.style.setProperty("--own", `var(${stroke.colour})`);
  return mark;
}

function label(series) {
  const text = make("span", "label", name(series.host));
  if (series.rest) text.append(" ", make("span", "quiet", name(series.rest)));
  return text;
}

function axisText(value, unit) {
  return unit === "percent" ? `${tidy(value)} %` : valueText(value, unit);
}

/** The fainter the more bands lie over each other: two digits behind a colour. */
function bandAlpha(bands) {
  return bands <= 2 ? "38" : bands <= 5 ? "28" : "18";
}

/** Shares of a hundred stand in all of it, everything else in what it needs. */
function rangeOf(plot, low, high) {
  if (low === null || high === null) return [0, 100];
  if (plot.unit === "percent" && low >= 0 && high <= 100) return [0, 100];
  return uPlot.rangeNum(low, high, { min: { pad: 0.1, soft: 0, mode: 3 }, max: { pad: 0.1, soft: 0, mode: 3 } });
}

/** Draws again what has another width now. */
function resized() {
  for (const { element, chart } of drawn) {
    const width = Math.max(element.clientWidth, 200);
    if (chart && chart.width !== width) chart.setSize({ width, height: chart.height });
  }
}

function beginPlots() {
  data.plots.forEach(addPlot);
  timeChanged.add(() => drawn.forEach(({ chart }) => chart.setScale("x", { min: shown.from, max: shown.until })));
  hostsChanged.add(() => drawn.forEach(({ build }) => build()));
  themeChanged.add(() => drawn.forEach(({ chart }) => chart.redraw()));
  isNarrow.addEventListener("change", () => drawn.forEach(({ build }) => build()));
  new ResizeObserver(resized).observe(byId("plots"));
}
