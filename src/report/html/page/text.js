// Elements and words: every text of the data becomes a text node, never markup.

/** An element with a class, and strings and elements inside. */
function make(tag, className, ...inside) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...inside.filter((part) => part !== null && part !== undefined));
  return element;
}

/** A name from somebody's data: its direction does not leak into the text around it. */
function name(text) {
  return make("bdi", "name", text);
}

const byId = (id) => document.getElementById(id);

const data = JSON.parse(byId("data").textContent);

/** The zone whose clock the page shows: the archive's, or UTC where the browser does not know it. */
const zone = (() => {
  try {
    new Intl.DateTimeFormat("sv-SE", { timeZone: data.facts.timezone });
    return data.facts.timezone;
  } catch {
    return "UTC";
  }
})();

const clocks = {
  day: clock({ dateStyle: "short" }),
  minute: clock({ dateStyle: "short", timeStyle: "short" }),
  second: clock({ dateStyle: "short", timeStyle: "medium" }),
};

function clock(style) {
  // Sweden writes 2020-06-19 12:00.
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, ...style });
  return (seconds) => format.format(new Date(seconds * 1000));
}

/** A time as precise as a bucket of this width deserves. */
function timeText(seconds, width) {
  return width < 60 ? clocks.second(seconds) : clocks.minute(seconds);
}

const grouping = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const figures = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 });

const count = (number) => grouping.format(number);

function counted(number, thing) {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}

function bytes(number) {
  return scaled(number, 1000, ["B", "kB", "MB", "GB", "TB", "PB"]);
}

function scaled(number, step, units) {
  let value = number;
  let unit = 0;
  while (Math.abs(value) >= step && unit + 1 < units.length) {
    value /= step;
    unit += 1;
  }
  const digits = unit === 0 && Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** A span of seconds in the largest units that say enough. */
function span(seconds) {
  const size = Math.abs(seconds);
  const sign = seconds < 0 ? "−" : "";
  if (size < 1) return `${sign}${figures.format(size * 1000)} ms`;
  if (size < 120) return `${sign}${figures.format(size)} s`;
  const steps = [["d", 86400], ["h", 3600], ["min", 60]];
  const first = steps.findIndex(([, length]) => size >= length);
  const [unit, length] = steps[first];
  const whole = Math.floor(size / length + 1e-9);
  const [small, smaller] = steps[first + 1] ?? ["s", 1];
  const rest = Math.round((size - whole * length) / smaller);
  const both = whole < 10 && rest > 0 && rest * smaller < length;
  return sign + (both ? `${whole} ${unit} ${rest} ${small}` : `${count(Math.round(size / length))} ${unit}`);
}

/** A value of a field with its unit. */
function valueText(value, unit) {
  switch (unit) {
    case "percent":
      return `${Math.abs(value) < 1000 ? value.toFixed(1) : tidy(value)} %`;
    case "bytes":
      return bytes(value);
    case "seconds":
      return span(value);
    case "milliseconds":
      return span(value / 1000);
    default:
      return `${tidy(value)}${unit && unit !== "count" ? ` ${unit}` : ""}`;
  }
}

/** A number that may be of any size. */
function tidy(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e12 || size < 1e-4)) return value.toExponential(3);
  return size >= 10000 ? count(value) : figures.format(value);
}

/** A share of one, without ever saying 100 % of what is not all. */
function percent(share) {
  if (share >= 1) return "100 %";
  const text = share >= 0.9995 ? Math.min(share * 100, 99.99).toFixed(2) : (share * 100).toFixed(1);
  return `${text} %`;
}
