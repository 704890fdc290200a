// What is shown of the data now: which hosts, and which part of the time. Everything that draws listens.

/** Hosts that are shown at first where there are more: as many as a person tells apart. */
const FIRST_SHOWN = 12;

/** Colours of the style sheet for hosts; after them they come again, with dashed lines. */
const COLOURS = 10;

const whole = { from: data.time[0], until: Math.max(data.time[1], data.time[0] + 1e-3) };

const shown = { from: whole.from, until: whole.until, hosts: new Set(firstHosts()) };

const timeChanged = new Set();
const hostsChanged = new Set();

/** The narrowest time that is worth looking at: some buckets. */
const narrowest = Math.min(whole.until - whole.from, 5 * Math.min(...data.plots.map((plot) => plot.width), whole.until - whole.from));

/** All hosts, or of many those with the largest mean in the first plot. */
function firstHosts() {
  if (data.hosts.length <= FIRST_SHOWN) return data.hosts;
  const means = new Map(data.hosts.map((host) => [host, -Infinity]));
  for (const series of data.plots[0].series) {
    means.set(series.host, Math.max(means.get(series.host), series.mean));
  }
  // Sorting is stable: equals stay in the order of their names.
  const largest = [...data.hosts].sort((a, b) => means.get(b) - means.get(a));
  return largest.slice(0, FIRST_SHOWN);
}

/** Shows another part of the time, as far as there is one. */
function showTime(from, until) {
  const length = Math.min(Math.max(until - from, narrowest), whole.until - whole.from);
  const middle = (from + until) / 2;
  const start = Math.min(Math.max(middle - length / 2, whole.from), whole.until - length);
  shown.from = start;
  shown.until = start + length;
  for (const changed of timeChanged) changed();
}

/** Zooms by a factor around the middle, or around `at`. */
function zoom(factor, at) {
  const around = at ?? (shown.from + shown.until) / 2;
  showTime(around - (around - shown.from) * factor, around + (shown.until - around) * factor);
}

/** Moves by a share of what is shown. */
function pan(share) {
  const by = (shown.until - shown.from) * share;
  showTime(shown.from + by, shown.until + by);
}

function showHosts(hosts) {
  shown.hosts = new Set(hosts);
  for (const changed of hostsChanged) changed();
}

/** Colour and dash of a host, or of the series of a plot by number. */
function strokeOf(number) {
  return {
    colour: `--c${number % COLOURS}`,
    dash: number >= COLOURS ? [6, 3] : undefined,
  };
}

const numberOfHost = new Map(data.hosts.map((host, number) => [host, number]));
