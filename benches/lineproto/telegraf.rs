//! Lines of simulated hosts in the disorder of arrival.

use diurnal::simulate::Random;

use crate::hosts::{CPUS, Host, TOTAL};

/// 2020-06-19T12:00:00Z.
const FIRST_S: u64 = 1_592_568_000;

/// Telegraf's default interval.
const STEP_S: u64 = 10;

/// A line arrives up to this long after its time.
const DELAY_MS: u64 = 60_000;

/// Three cores and their total, then memory, of each host: four cpu lines for each mem line.
pub fn cpu_mem(lines: usize, hosts: usize) -> String {
    arrived(lines, hosts, |host, random, lines| {
        for cpu in 0..CPUS.len() {
            lines.push(host.cpu_line(cpu, random));
        }
        lines.push(host.memory_line(random));
    })
}

/// The total of all cores of each host.
pub fn cpu_total(lines: usize, hosts: usize) -> String {
    arrived(lines, hosts.min(lines), |host, random, lines| {
        lines.push(host.cpu_line(TOTAL, random));
    })
}

/// At least so many lines of what `sample` says about the hosts at each step, cut to the number; in the order of arrival.
fn arrived(wanted: usize, hosts: usize, sample: impl Fn(&Host, &mut Random, &mut Vec<String>)) -> String {
    let mut random = Random::new(1);
    let mut hosts: Vec<Host> = (0..hosts).map(|number| Host::new(number, &mut random)).collect();
    let mut sent: Vec<(u64, String)> = Vec::with_capacity(wanted);
    let mut lines = Vec::new();
    for second in (FIRST_S..).step_by(STEP_S as usize) {
        if sent.len() >= wanted {
            break;
        }
        for host in &mut hosts {
            host.step(&mut random);
            sample(host, &mut random, &mut lines);
            for line in lines.drain(..) {
                let arrival = second * 1_000 + random.below(DELAY_MS);
                sent.push((arrival, format!("{line} {second}000000000\n")));
            }
        }
    }
    sent.truncate(wanted);
    sent.sort_by_key(|(arrival, _)| *arrival);
    sent.into_iter().map(|(_, line)| line).collect()
}
