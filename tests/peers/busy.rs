//! Whether anything else was running: a measurement beside a compiler is none.

use std::fs;
use std::time::Instant;

/// A tick of `/proc`: it is the same on every Linux that this will see.
const TICKS: f64 = 100.0;

/// From when on it watches.
pub(crate) struct Watch {
    began: Instant,
    all: u64,
    own: u64,
}

/// Ticks that all processes have spent outside the kernel. What the kernel does for us it does in
/// threads of its own, so system time says nothing about others.
fn all_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    fields.take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

fn own_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.nth(11).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

impl Watch {
    pub(crate) fn start() -> Watch {
        Watch { began: Instant::now(), all: all_ticks(), own: own_ticks() }
    }

    /// The share of all processors that other processes have had since.
    pub(crate) fn others(&self) -> f64 {
        let own = own_ticks().saturating_sub(self.own);
        let others = all_ticks().saturating_sub(self.all).saturating_sub(own);
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        // A tick more or less is how they are counted.
        others.saturating_sub(2) as f64 / TICKS / self.began.elapsed().as_secs_f64() / cores
    }
}

/// Bytes of memory that this process has.
pub(crate) fn resident() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4096.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_s_own_work_is_not_another_s() {
        let watch = Watch::start();
        let mut word = 1u64;
        while watch.began.elapsed().as_millis() < 300 {
            word = std::hint::black_box(word.wrapping_mul(3));
        }
        assert!(own_ticks() >= watch.own + 10, "its own ticks are counted");
        assert!((0.0..=1.0).contains(&watch.others()));
        assert!(resident() > 100_000.0);
    }
}
