// Figures and tables: what is there, what is missing, what came late.

/** A table whose rows can be sorted by a click on a head. Columns: head, the cell of a row, what it sorts by, whether it is a number. */
function table(columns, rows, sortable) {
  const body = make("tbody", "");
  const fill = (ordered) => body.replaceChildren(...ordered.map((row) => make("tr", "", ...columns.map((column) => cell(column, row)))));
  const heads = columns.map((column) => {
    const head = make("th", column.number ? "number" : "");
    head.scope = "col";
    if (!sortable || !column.by) {
      head.append(column.head);
      return head;
    }
    const button = make("button", "sort", column.head);
    button.type = "button";
    let down = !column.number;
    button.addEventListener("click", () => {
      down = !down;
      const by = (a, b) => (column.by(a) < column.by(b) ? -1 : column.by(a) > column.by(b) ? 1 : 0);
      fill([...rows].sort((a, b) => (down ? by(b, a) : by(a, b))));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
    head.append(button);
    return head;
  });
  fill(rows);
  const scroll = make("div", "scroll", make("table", "", make("thead", "", make("tr", "", ...heads)), body));
  scroll.tabIndex = 0;
  return scroll;
}

function cell(column, row) {
  const inside = column.cell(row);
  const td = make("td", column.number ? "number" : "", ...(Array.isArray(inside) ? inside : [inside]));
  const share = column.bar?.(row);
  if (share > 0) {
    const bar = make("i", column.warns ? "bar-cell warns" : "bar-cell");
    bar.style.width = `${Math.max(Math.min(share, 1) * 100, 1)}%`;
    td.append(bar);
  }
  return td;
}

const sum = (list, of) => list.reduce((total, one) => total + (of(one) ?? 0), 0);

const largest = (list, of) => list.reduce((most, one) => Math.max(most, of(one) ?? 0), 0);

const allSeries = () => data.plots.flatMap((plot) => plot.series.map((series) => ({ plot, ...series })));

/** Of all samples that should be there, those that are. */
const complete = ({ samples, missing }) => (samples + missing > 0 ? samples / (samples + missing) : 1);

/** Whether a series ended before the report does. */
const isSilent = (series) => series.interval !== null && data.time[1] - series.last > Math.max(1.5 * series.interval, 1);

function addFigures() {
  const series = allSeries();
  const samples = sum(series, (one) => one.samples);
  const missing = sum(series, (one) => one.missing);
  const size = sum(data.days, (day) => (day.parquet ?? 0) + (day.csv ?? 0));
  const waiting = sum(data.facts.rejects, (reject) => reject.waiting);
  const silent = new Set(series.filter(isSilent).map((one) => one.host)).size;
  const late = sum(data.days, (day) => day.late);
  const list = [
    ["Rows", count(sum(data.days, (day) => day.rows)), counted(data.facts.measurements.length + data.facts.measurements_left_out, "measurement")],
    ["Hosts", count(data.hosts.length), silent > 0 ? `${count(silent)} silent at the end` : `${count(series.length)} series plotted`],
    ["Complete", samples > 0 ? percent(complete({ samples, missing })) : "–", `${counted(missing, "sample")} missing`, complete({ samples, missing }) < 0.99],
    ["Late rows", count(late), "behind later ones"],
    ["Rejects", count(waiting), waiting > 0 ? "lines wait" : "none waits", waiting > 0],
    ["Size", bytes(size), counted(data.days.filter((day) => day.rows > 0).length, "day")],
  ];
  const cards = list.map(([title, value, about, warns]) =>
    make("div", "figure", make("p", "quiet", title), make("p", warns ? "big warns" : "big", value), make("p", "quiet", about)),
  );
  byId("figures").append(...cards);
}

function addSeries() {
  const rows = allSeries();
  const card = byId("series");
  if (rows.length === 0) {
    card.remove();
    return;
  }
  const [, end] = data.time;
  const gappiest = largest(rows, (row) => 1 - complete(row));
  const value = (row, number) => valueText(number, row.plot.unit);
  const columns = [
    { head: "Field", cell: (row) => name(row.plot.name), by: (row) => row.plot.name },
    { head: "Series", cell: (row) => label(row), by: (row) => `${row.host} ${row.rest}` },
    { head: "Samples", number: true, cell: (row) => count(row.samples), by: (row) => row.samples },
    { head: "Every", number: true, cell: (row) => (row.interval === null ? "–" : span(row.interval)), by: (row) => row.interval ?? 0 },
    { head: "Missing", number: true, warns: true, cell: (row) => count(row.missing), by: (row) => row.missing, bar: (row) => (1 - complete(row)) / gappiest },
    { head: "Complete", number: true, cell: (row) => percent(complete(row)), by: complete },
    { head: "Longest gap", number: true, cell: (row) => (row.missing > 0 ? span(row.longest) : "–"), by: (row) => (row.missing > 0 ? row.longest : 0) },
    {
      head: "Last sample",
      cell: (row) => [clocks.minute(row.last), isSilent(row) ? make("span", "tag", `silent for ${span(end - row.last)}`) : null],
      by: (row) => row.last,
    },
    { head: "Conflicts", number: true, cell: (row) => (row.conflicts > 0 ? count(row.conflicts) : "–"), by: (row) => row.conflicts },
    { head: "Least", number: true, cell: (row) => value(row, row.least[0]), by: (row) => row.least[0] },
    { head: "Mean", number: true, cell: (row) => value(row, row.mean), by: (row) => row.mean },
    { head: "Greatest", number: true, cell: (row) => value(row, row.greatest[0]), by: (row) => row.greatest[0] },
  ];
  card.append(make("h2", "", "Completeness by series"), table(columns, rows, true));
}

function addDays() {
  const card = byId("days");
  if (data.days.length === 0) {
    card.remove();
    return;
  }
  const { days } = data;
  const size = (day) => (day.parquet ?? 0) + (day.csv ?? 0);
  const [rows, bytesMost, missing, late, lag] = [
    largest(days, (day) => day.rows),
    largest(days, size),
    largest(days, (day) => day.missing),
    largest(days, (day) => day.late),
    largest(days, (day) => day.lag),
  ];
  const dash = (number, text) => (number > 0 ? text : "–");
  const columns = [
    { head: "Day", cell: (day) => day.day, by: (day) => day.day },
    { head: "Rows", number: true, cell: (day) => count(day.rows), by: (day) => day.rows, bar: (day) => day.rows / rows },
    { head: "Size", number: true, cell: (day) => bytes(size(day)), by: size, bar: (day) => size(day) / bytesMost },
    { head: "Missing", number: true, warns: true, cell: (day) => dash(day.missing, count(day.missing)), by: (day) => day.missing, bar: (day) => day.missing / missing },
    { head: "Complete", number: true, cell: (day) => (day.samples + day.missing > 0 ? percent(complete(day)) : "–"), by: complete },
    { head: "Late rows", number: true, cell: (day) => dash(day.late, count(day.late)), by: (day) => day.late, bar: (day) => day.late / late },
    { head: "Lag, about", number: true, cell: (day) => (day.lag === null ? "–" : span(day.lag)), by: (day) => day.lag ?? 0, bar: (day) => (day.lag ?? 0) / lag },
    { head: "Last rows", number: true, cell: (day) => lastRows(day), by: (day) => day.ended_after ?? 0 },
  ];
  card.append(make("h2", "", "Days: completeness, late rows, ingestion lag"));
  if (data.facts.days_left_out > 0) card.append(make("p", "quiet", `The last ${count(days.length)}; ${counted(data.facts.days_left_out, "earlier day")} left out.`));
  card.append(table(columns, [...days].reverse(), true));
}

function lastRows({ ended_after: after }) {
  if (after === null) return "–";
  return after >= 0 ? `${span(after)} after` : `${span(-after)} before its end`;
}

function addRejects() {
  const { facts } = data;
  const card = byId("rejects");
  card.append(make("h2", "", "Lines and rejects"));
  card.append(
    make(
      "p",
      "",
      `${counted(facts.lines, "line")} since the archive was made: ${counted(facts.points, "point")}, ${count(facts.folded)} folded, ` +
        `${count(facts.rejected)} rejected; ${counted(facts.conflicts, "conflict")}.`,
    ),
  );
  if (facts.rejects.length === 0) {
    card.append(make("p", "quiet", "No line is kept as a reject."));
    return;
  }
  const columns = [
    { head: "Reason", cell: (row) => [make("code", "", row.reason), ...row.places.map((place) => make("span", "place quiet", name(place)))] },
    { head: "Waiting", number: true, cell: (row) => count(row.waiting) },
    { head: "Archived since", number: true, cell: (row) => count(row.retried) },
  ];
  card.append(table(columns, facts.rejects, false), make("p", "quiet", "`diurnal rejects` lists them word for word."));
}

function addSizes() {
  const { facts } = data;
  const total = (row) => (row.parquet ?? 0) + (row.csv ?? 0);
  const most = largest(facts.measurements, total);
  const optional = (size) => (size === null ? "–" : bytes(size));
  const columns = [
    { head: "Measurement", cell: (row) => name(row.name) },
    { head: "Days", number: true, cell: (row) => count(row.days) },
    { head: "Rows", number: true, cell: (row) => count(row.rows) },
    { head: "Parquet", number: true, cell: (row) => optional(row.parquet) },
    { head: "CSV", number: true, cell: (row) => optional(row.csv), bar: (row) => total(row) / most },
    { head: "Parquet per row", number: true, cell: (row) => (row.parquet === null || row.rows === 0 ? "–" : `${figures.format(row.parquet / row.rows)} B`) },
  ];
  const card = byId("sizes");
  card.append(make("h2", "", "Sizes"));
  if (facts.measurements.length === 0) {
    card.append(make("p", "quiet", "No file in this time."));
    return;
  }
  card.append(table(columns, facts.measurements, false));
  if (facts.measurements_left_out > 0) card.append(make("p", "quiet", `The largest; ${counted(facts.measurements_left_out, "more measurement")} left out.`));
}

function addWords() {
  const { facts } = data;
  byId("title").append(name(facts.archive));
  const made = facts.at === null ? "" : ` of ${facts.at.replace("T", " ").replace("Z", " UTC")}`;
  const time = data.days.length > 0 ? `${clocks.minute(whole.from)} to ${clocks.minute(whole.until)}, time zone ${zone}. ` : "";
  byId("state").append(`${time}The archive as it was with commit ${count(facts.commits)}${made}.`);
  byId("notes").append(...facts.notes.map((note) => make("p", "note", name(note))));
  if (data.days.length === 0) byId("notes").append(make("p", "note", "Nothing was archived in this time."));
  if (zone !== facts.timezone) byId("notes").append(make("p", "note", `This browser does not know the time zone ${facts.timezone}: times are UTC.`));
  byId("foot").textContent = "Plots: uPlot 1.6, © Leon Sorokin, MIT licence, whole in this file. This page fetches nothing.";
}
