// Choosing time and hosts: by mouse, finger and keyboard.

/** Lets a plot be reached by Tab, and touched. */
function focusable(element, label) {
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", `${label}. Left and right move, plus and minus zoom, 0 shows all, with Shift left and right move the cursor.`);
  draggedByFinger(element);
}

/** A finger that moves sideways does what a mouse does; up and down it scrolls the page. */
function draggedByFinger(element) {
  const pass = (type) => (event) => {
    if (event.pointerType !== "touch") return;
    const over = element.querySelector(".u-over");
    const target = type === "mousedown" || type === "mousemove" ? over : document;
    // Without a movement the library takes it for a mouse that stands still.
    target?.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: event.clientX, clientY: event.clientY, movementX: 1 }));
  };
  element.addEventListener("pointerdown", pass("mousedown"));
  element.addEventListener("pointermove", pass("mousemove"));
  element.addEventListener("pointerup", pass("mouseup"));
  element.addEventListener("pointercancel", pass("mouseup"));
}

const KEYS = {
  ArrowLeft: () => pan(-0.25),
  ArrowRight: () => pan(0.25),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  0: () => showTime(whole.from, whole.until),
};

const WITH_SHIFT = {
  ArrowLeft: () => moveCursor(-1),
  ArrowRight: () => moveCursor(1),
};

/** Moves the cursor of all plots by buckets. */
function moveCursor(by) {
  const first = drawn[0]?.chart;
  if (!first) return;
  const times = first.data[0];
  const now = first.cursor.left >= 0 ? first.cursor.idx : first.valToIdx((shown.from + shown.until) / 2) - by;
  const next = Math.min(Math.max(now + by, 0), times.length - 1);
  for (const { chart } of drawn) {
    const top = chart.cursor.top >= 0 ? chart.cursor.top : ROW / 2;
    chart.setCursor({ left: chart.valToPos(times[next], "x"), top });
  }
}

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches?.("input, select, textarea")) return;
  const does = (event.shiftKey && WITH_SHIFT[event.key]) || KEYS[event.key];
  if (!does) return;
  event.preventDefault();
  does();
}

function beginTime() {
  byId("earlier").addEventListener("click", () => pan(-0.5));
  byId("later").addEventListener("click", () => pan(0.5));
  byId("narrower").addEventListener("click", () => zoom(0.5));
  byId("wider").addEventListener("click", () => zoom(2));
  byId("whole").addEventListener("click", () => showTime(whole.from, whole.until));
  document.addEventListener("keydown", pressed);
  const width = Math.min(...data.plots.map((plot) => plot.width), 60);
  const say = () => {
    byId("shown").textContent = `${timeText(shown.from, width)} to ${timeText(shown.until, width)}`;
    byId("whole").disabled = shown.from === whole.from && shown.until === whole.until;
  };
  timeChanged.add(say);
  say();
}

function beginHosts() {
  const several = new Set(data.plots.map((plot) => new Set(plot.series.map((series) => series.host)).size < plot.series.length));
  const chips = data.hosts.map((host) => {
    const mark = several.has(true) ? null : swatch(strokeOf(numberOfHost.get(host)));
    const chip = make("button", "chip", mark, name(host));
    chip.type = "button";
    chip.addEventListener("click", () => {
      const hosts = new Set(shown.hosts);
      if (!hosts.delete(host)) hosts.add(host);
      showHosts(hosts);
    });
    chip.addEventListener("dblclick", () => showHosts([host]));
    return { host, chip };
  });
  byId("chips").append(...chips.map(({ chip }) => chip));
  const found = () => {
    const wanted = byId("filter").value.toLowerCase();
    return chips.filter(({ host }) => host.toLowerCase().includes(wanted));
  };
  byId("filter").addEventListener("input", () => {
    const these = new Set(found());
    chips.forEach((one) => (one.chip.hidden = !these.has(one)));
  });
  // What is found is what is meant.
  byId("all-hosts").addEventListener("click", () => showHosts([...shown.hosts, ...found().map(({ host }) => host)]));
  byId("no-hosts").addEventListener("click", () => {
    const without = new Set(found().map(({ host }) => host));
    showHosts([...shown.hosts].filter((host) => !without.has(host)));
  });
  const say = () => {
    const all = data.hosts.length;
    const now = shown.hosts.size;
    byId("hosts-said").textContent = now === all ? `All ${counted(all, "host")}` : `${count(now)} of ${counted(all, "host")}`;
    for (const { host, chip } of chips) chip.setAttribute("aria-pressed", String(shown.hosts.has(host)));
  };
  hostsChanged.add(say);
  say();
  byId("hosts").hidden = data.hosts.length < 2;
  byId("hosts").open = data.hosts.length >= 2 && data.hosts.length <= 40 && !isNarrow.matches;
}
