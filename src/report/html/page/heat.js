// Hosts by hour: one row a host, one cell an hour, or a bucket where those are wider.

const ROW = 18;

/** Names of hosts need more room than numbers. */
const heatGutter = () => Math.max(gutter(), 84);

/** The cells of one field: for each host the mean and the number of its values, by cell. */
function cellsOf(plot) {
  const width = Math.max(plot.width, 3600);
  // Hours begin where the clock of the archive's zone begins them.
  const first = Math.floor((plot.start + plot.offset) / width) * width - plot.offset;
  const cellOf = (bucket) => Math.floor((plot.start + bucket * plot.width - first) / width + 1e-9);
  const length = cellOf(plot.buckets - 1) + 1;
  const rows = new Map();
  for (const series of plot.series) {
    if (!rows.has(series.host)) rows.set(series.host, { mean: new Array(length).fill(null), samples: new Array(length).fill(0) });
    const row = rows.get(series.host);
    let index = 0;
    for (let run = 0; run < series.counts.length; run += 2) {
      const samples = series.counts[run];
      for (let times = series.counts[run + 1]; times > 0; times -= 1, index += 1) {
        if (samples === 0) continue;
        const cell = cellOf(series.skip + index);
        const before = row.samples[cell];
        const mean = row.mean[cell] ?? 0;
        row.samples[cell] = before + samples;
        row.mean[cell] = mean + ((series.mid[index] - mean) * samples) / (before + samples);
      }
    }
  }
  return { plot, width, first, length, rows };
}

function beginHeat() {
  const card = byId("heat");
  if (data.plots.length === 0) {
    card.remove();
    return;
  }
  const cells = data.plots.map(cellsOf);
  const choices = [];
  cells.forEach((of) => choices.push({ of, what: "mean" }, { of, what: "samples" }));
  let choice = choices[0];
  const select = make("select", "");
  select.id = "heat-choice";
  choices.forEach(({ of, what }, number) => {
    const option = make("option", "", what === "mean" ? `${of.plot.name}, mean` : `${of.plot.name}, samples`);
    option.value = number;
    select.append(option);
  });
  const element = make("div", "plot");
  const readout = make("p", "when quiet");
  readout.setAttribute("aria-live", "polite");
  const ramp = make("div", "ramp");
  const title = make("h2", "");
  card.append(make("div", "head heat-head", title, make("label", "quiet", "Show ", select)), element, ramp, readout);
  focusable(element, "Heat map of hosts by hour");
  let hosts = [];
  let chart = null;
  let scale = [0, 1];

  select.addEventListener("change", () => {
    choice = choices[select.value];
    build();
  });

  function build() {
    const { of, what } = choice;
    hosts = [...of.rows.keys()].filter((host) => shown.hosts.has(host)).sort((a, b) => numberOfHost.get(a) - numberOfHost.get(b));
    scale = scaleOf(of, what);
    title.textContent = of.width === 3600 ? "Hosts by hour" : `Hosts by ${span(of.width)}`;
    const unit = what === "mean" ? of.plot.unit : null;
    const ends = scale.map((end) => axisText(end, unit));
    ramp.replaceChildren(make("span", "quiet", ends[0]), make("i", "ramp-bar"), make("span", "quiet", ends[1]), make("i", "none-bar"), make("span", "quiet", "none"));
    chart?.destroy();
    const options = commonOptions(element, Math.max(hosts.length, 1) * ROW + 54);
    options.cursor.y = false;
    options.cursor.points = { show: false };
    options.series = [{}, { paths: () => null, points: { show: false } }];
    options.scales = { x: { time: true }, y: { range: () => [0, Math.max(hosts.length, 1)], dir: -1 } };
    options.axes = [
      { ...timeAxis(), grid: { show: false } },
      {
        stroke: () => colour("--text"),
        font: FONT,
        size: heatGutter(),
        gap: 8,
        grid: { show: false },
        ticks: { show: false },
        splits: () => hosts.map((_, row) => row + 0.5),
        values: (plot) => hosts.map((host) => fitted(plot.ctx, host, heatGutter() - 12)),
      },
    ];
    options.hooks.drawClear = [paint];
    options.hooks.setCursor = [read];
    const times = Array.from({ length: of.length }, (_, cell) => of.first + (cell + 0.5) * of.width);
    chart = new uPlot(options, [times, times.map(() => null)], element);
    chart.setScale("x", { min: shown.from, max: shown.until });
    entry.chart = chart;
    read(chart);
  }

  function paint(plot) {
    const { of, what } = choice;
    const { ctx, bbox } = plot;
    const shades = rampColours();
    const none = colour("--none");
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    hosts.forEach((host, row) => {
      const { mean, samples } = of.rows.get(host);
      const top = plot.valToPos(row, "y", true);
      const height = plot.valToPos(row + 1, "y", true) - top;
      for (let cell = 0; cell < of.length; cell += 1) {
        const from = of.first + cell * of.width;
        if (from + of.width < shown.from || from > shown.until) continue;
        const left = Math.round(plot.valToPos(from, "x", true));
        const right = Math.round(plot.valToPos(from + of.width, "x", true));
        const value = what === "mean" ? mean[cell] : samples[cell] || null;
        ctx.fillStyle = value === null ? none : shades[shadeOf(value)];
        ctx.fillRect(left, top + 1, Math.max(right - left, 1), height - 2);
      }
    });
    ctx.restore();
  }

  function shadeOf(value) {
    const [low, high] = scale;
    const share = high > low ? (value - low) / (high - low) : 1;
    return Math.round(Math.min(Math.max(share, 0), 1) * (SHADES - 1));
  }

  function read(plot) {
    const { of } = choice;
    const { left, top } = plot.cursor;
    const row = Math.floor(plot.posToVal(top ?? -1, "y"));
    const cell = Math.floor((plot.posToVal(left ?? -1, "x") - of.first) / of.width);
    if (!(left >= 0) || !(top >= 0) || !hosts[row] || cell < 0 || cell >= of.length) {
      readout.textContent = "Point at a cell for its host, hour and value.";
      return;
    }
    const { mean, samples } = of.rows.get(hosts[row]);
    const value = mean[cell] === null ? "no sample" : `${valueText(mean[cell], of.plot.unit)}, ${counted(samples[cell], "value")}`;
    readout.replaceChildren(name(hosts[row]), `, ${clocks.minute(of.first + cell * of.width)}: ${value}`);
  }

  const entry = { element, chart: null, build };
  drawn.push(entry);
  build();
}

/** From the least to the greatest; shares of a hundred and samples from nothing on. */
function scaleOf(of, what) {
  const rows = [...of.rows.values()];
  let [low, high] = [Infinity, -Infinity];
  for (const row of rows) {
    for (const value of what === "mean" ? row.mean : row.samples) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [0, 1];
  if (what === "samples") return [0, high];
  return of.plot.unit === "percent" && low >= 0 && high <= 100 ? [0, 100] : [low, high];
}

const SHADES = 32;

/** Between the colours of the style sheet, in steps. */
function rampColours() {
  const stops = ["--heat0", "--heat1", "--heat2", "--heat3"].map((variable) => channels(colour(variable)));
  return Array.from({ length: SHADES }, (_, step) => {
    const at = (step / (SHADES - 1)) * (stops.length - 1);
    const from = Math.min(Math.floor(at), stops.length - 2);
    const mixed = stops[from].map((channel, place) => Math.round(channel + (stops[from + 1][place] - channel) * (at - from)));
    return `rgb(${mixed.join(",")})`;
  });
}

/** Red, green and blue of #rrggbb. */
function channels(hex) {
  return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
}

/** As much of a name as is so many pixels wide. */
function fitted(ctx, text, most) {
  ctx.save();
  ctx.font = FONT;
  const fits = (shorter) => ctx.measureText(shorter).width <= most;
  let letters = [...text];
  let shorter = text;
  while (letters.length > 1 && !fits(shorter)) {
    letters = letters.slice(0, -1);
    shorter = `${letters.join("")}…`;
  }
  ctx.restore();
  return shorter;
}
