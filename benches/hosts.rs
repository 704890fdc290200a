//! Simulated hosts as Telegraf's `inputs.cpu` and `inputs.mem` see them: its arithmetic, its field names, Go's random order of fields and
//! format of floats. `diurnal::simulate` is the demo's smaller relative; here the bytes of a line matter.

use std::fmt::Write as _;

use diurnal::simulate::Random;

/// Bytes of a page of memory: what the kernel counts in.
const PAGE: u64 = 4_096;

/// Three cores and their total.
pub const CPUS: [&str; 4] = ["cpu0", "cpu1", "cpu2", "cpu-total"];
/// The total's place among them.
pub const TOTAL: usize = 3;

const CPU_FIELDS: [&str; 10] = [
    "usage_user",
    "usage_nice",
    "usage_system",
    "usage_idle",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
];

/// Clock ticks so far, in the order of [`CPU_FIELDS`].
type Ticks = [u64; 10];

/// A host and its counters.
pub struct Host {
    name: String,
    /// Ticks of 1,000 that are busy, as a slow random walk.
    busy: u64,
    before: [Ticks; 4],
    now: [Ticks; 4],
    memory: Memory,
}

impl Host {
    /// One that has been up for a while.
    pub fn new(number: usize, random: &mut Random) -> Self {
        let mut now = [[0; 10]; 4];
        for ticks in &mut now[..TOTAL] {
            for (field, end) in [(0, 5_000_000), (2, 3_000_000), (4, 100_000), (6, 50_000), (7, 100_000)] {
                ticks[field] = random.below(end);
            }
            ticks[3] = 50_000_000 + random.below(50_000_000);
        }
        Self {
            name: format!("web-{number:03}"),
            busy: 5 + random.below(300),
            before: now,
            now,
            memory: Memory::new(random),
        }
    }

    /// Lets ten seconds pass.
    pub fn step(&mut self, random: &mut Random) {
        self.before = self.now;
        self.busy = (self.busy + random.below(41)).saturating_sub(20).clamp(2, 700);
        let mut sometimes = |per_cent: u64, most: u64| match random.below(100) < per_cent {
            true => 1 + random.below(most),
            false => 0,
        };
        for ticks in &mut self.now[..TOTAL] {
            let user = sometimes(100, self.busy);
            let system = sometimes(100, self.busy / 3 + 4);
            let nice = sometimes(1, 4);
            let iowait = sometimes(15, 8);
            let softirq = sometimes(20, 3);
            let steal = sometimes(30, 6);
            let all = 993 + sometimes(100, 10);
            let idle = all.saturating_sub(user + system + nice + iowait + softirq + steal);
            for (sum, more) in ticks
                .iter_mut()
                .zip([user, nice, system, idle, iowait, 0, softirq, steal])
            {
                *sum += more;
            }
        }
        for field in 0..CPU_FIELDS.len() {
            self.now[TOTAL][field] = self.now[..TOTAL].iter().map(|ticks| ticks[field]).sum();
        }
        self.memory.step(random);
    }

    /// A line of one of [`CPUS`], without time.
    pub fn cpu_line(&self, cpu: usize, random: &mut Random) -> String {
        // Telegraf's own arithmetic: differences of seconds over the difference of their sums, guest time left out of these. From it
        // come digits such as 94.94949494949657.
        let seconds = |ticks: &Ticks| ticks.map(|ticks| ticks as f64 / 100.0);
        let (before, now) = (seconds(&self.before[cpu]), seconds(&self.now[cpu]));
        let total = |seconds: &[f64; 10]| seconds[..8].iter().sum::<f64>();
        let passed = total(&now) - total(&before);
        let mut order: [usize; 10] = std::array::from_fn(|index| index);
        random.shuffle(&mut order);
        let mut line = format!("cpu,cpu={},host={}", CPUS[cpu], self.name);
        for (place, &field) in order.iter().enumerate() {
            let usage = 100.0 * (now[field] - before[field]) / passed;
            push_field(&mut line, place, format_args!("{}={usage}", CPU_FIELDS[field]));
        }
        line
    }

    /// A line of its memory, without time.
    pub fn memory_line(&self, random: &mut Random) -> String {
        let integers = self.memory.integers();
        let floats = self.memory.floats();
        let mut order: [usize; 34] = std::array::from_fn(|index| index);
        random.shuffle(&mut order);
        let mut line = format!("mem,host={}", self.name);
        for (place, &field) in order.iter().enumerate() {
            match integers.get(field) {
                Some((key, value)) => push_field(&mut line, place, format_args!("{key}={value}i")),
                None => {
                    let (key, value) = floats[field - integers.len()];
                    push_field(&mut line, place, format_args!("{key}={value}"));
                }
            }
        }
        line
    }
}

/// Rust, as Go with precision -1, writes the shortest digits that read back, no exponent, and integral floats without a dot.
fn push_field(line: &mut String, place: usize, field: std::fmt::Arguments<'_>) {
    line.push(if place == 0 { ' ' } else { ',' });
    line.write_fmt(field).expect("a string takes everything");
}

/// Bytes of memory by what they are for.
struct Memory {
    total: u64,
    used: Walk,
    cached: Walk,
    buffered: Walk,
    slab_reclaimable: Walk,
    slab_fixed: Walk,
    mapped: Walk,
    page_tables: Walk,
    dirty: Walk,
    committed: Walk,
    vmalloc_used: Walk,
    active: Walk,
    shared: Walk,
}

/// A size that goes up and down by some pages within its bounds.
struct Walk {
    now: u64,
    pages: u64,
    low: u64,
    high: u64,
}

impl Walk {
    fn new(random: &mut Random, pages: u64, low: u64, high: u64) -> Self {
        let [low, high] = [low, high].map(|bytes| bytes / PAGE * PAGE);
        let now = low + random.below((high - low) / PAGE) * PAGE;
        Self { now, pages, low, high }
    }

    fn step(&mut self, random: &mut Random) {
        let up = random.below(2 * self.pages + 1) * PAGE;
        self.now = (self.now + up)
            .saturating_sub(self.pages * PAGE)
            .clamp(self.low, self.high);
    }
}

impl Memory {
    fn new(random: &mut Random) -> Self {
        const MIB: u64 = 1 << 20;
        const GIB: u64 = 1 << 30;
        let total = (4 + random.below(60)) * GIB + random.below(1 << 18) * PAGE;
        Self {
            total,
            used: Walk::new(random, 3_000, total / 25, total / 2),
            cached: Walk::new(random, 2_000, total / 60, total / 4),
            buffered: Walk::new(random, 60, MIB, 64 * MIB),
            slab_reclaimable: Walk::new(random, 40, 40 * MIB, 320 * MIB),
            slab_fixed: Walk::new(random, 10, 10 * MIB, 70 * MIB),
            mapped: Walk::new(random, 300, 20 * MIB, 320 * MIB),
            page_tables: Walk::new(random, 20, MIB, 24 * MIB),
            dirty: Walk::new(random, 40, 0, 24 * MIB),
            committed: Walk::new(random, 4_000, GIB, 5 * GIB),
            vmalloc_used: Walk::new(random, 3, 8 * MIB, 32 * MIB),
            active: Walk::new(random, 900, 80 * MIB, 3 * GIB),
            shared: Walk::new(random, 1, MIB, 64 * MIB),
        }
    }

    fn step(&mut self, random: &mut Random) {
        let walks = [
            &mut self.used,
            &mut self.cached,
            &mut self.buffered,
            &mut self.slab_reclaimable,
            &mut self.slab_fixed,
            &mut self.mapped,
            &mut self.page_tables,
            &mut self.dirty,
            &mut self.committed,
            &mut self.vmalloc_used,
            &mut self.active,
            &mut self.shared,
        ];
        walks.into_iter().for_each(|walk| walk.step(random));
    }

    fn integers(&self) -> [(&'static str, u64); 32] {
        let available = self.total - self.used.now;
        [
            ("active", self.active.now),
            ("available", available),
            ("buffered", self.buffered.now),
            ("cached", self.cached.now),
            ("commit_limit", self.total / 2),
            ("committed_as", self.committed.now),
            ("dirty", self.dirty.now),
            ("free", available - self.cached.now),
            ("high_free", 0),
            ("high_total", 0),
            ("huge_page_size", 2 << 20),
            ("huge_pages_free", 0),
            ("huge_pages_total", 0),
            ("inactive", self.cached.now + self.active.now / 3 / PAGE * PAGE),
            ("low_free", 0),
            ("low_total", 0),
            ("mapped", self.mapped.now),
            ("page_tables", self.page_tables.now),
            ("shared", self.shared.now),
            ("slab", self.slab_reclaimable.now + self.slab_fixed.now),
            ("sreclaimable", self.slab_reclaimable.now),
            ("sunreclaim", self.slab_fixed.now),
            ("swap_cached", 0),
            ("swap_free", 0),
            ("swap_total", 0),
            ("total", self.total),
            ("used", self.used.now),
            ("vmalloc_chunk", 0),
            ("vmalloc_total", 35_184_372_087_808),
            ("vmalloc_used", self.vmalloc_used.now),
            ("write_back", 0),
            ("write_back_tmp", 0),
        ]
    }

    fn floats(&self) -> [(&'static str, f64); 2] {
        let per_cent = |bytes: u64| 100.0 * bytes as f64 / self.total as f64;
        [
            ("used_percent", per_cent(self.used.now)),
            ("available_percent", per_cent(self.total - self.used.now)),
        ]
    }
}
