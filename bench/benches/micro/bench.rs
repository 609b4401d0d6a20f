//! How a micro-bench is run: once to see that it works, many times to time it, or a given number
//! of times under a counter of instructions.

use std::time::{Duration, Instant};

/// A sample lasts about this long: far above the clock's own cost, far below a time slice, so that
/// most samples are whole.
const SAMPLE: Duration = Duration::from_micros(500);
const SAMPLES: usize = 401;

/// A bench: makes what it needs, and gives what is to be measured, told how often to do it.
pub struct Bench {
    name: &'static str,
    make: fn() -> Box<dyn FnMut(u64)>,
}

/// What is done with the benches.
pub enum Mode {
    /// Each runs once.
    Smoke,
    /// Those whose name has this in it are timed.
    Time(String),
    /// The one of this name runs so many times, and nothing is printed: the difference of two such
    /// runs is free of what it cost to start.
    Count(String, u64),
}

impl Bench {
    /// A bench of this name.
    pub const fn new(name: &'static str, make: fn() -> Box<dyn FnMut(u64)>) -> Self {
        Self { name, make }
    }
}

impl Mode {
    /// `--count NAME TIMES`, or `[NAME] --bench` as `cargo bench` says it; else a smoke run.
    pub fn of_arguments(arguments: impl Iterator<Item = String>) -> Self {
        let all: Vec<String> = arguments.collect();
        if let [flag, name, times] = &all[..]
            && flag == "--count"
        {
            return Self::Count(name.clone(), times.parse().expect("--count NAME TIMES"));
        }
        if !all.iter().any(|word| word == "--bench") {
            return Self::Smoke;
        }
        let name = all.into_iter().find(|word| !word.starts_with("--"));
        Self::Time(name.unwrap_or_default())
    }

    /// Does it with one bench.
    pub fn run(&self, bench: &Bench) {
        match self {
            Self::Smoke => {
                (bench.make)()(1);
                println!("{}: runs", bench.name);
            }
            Self::Time(part) if bench.name.contains(part.as_str()) => time(bench),
            Self::Count(name, times) if bench.name == name => (bench.make)()(*times),
            Self::Time(_) | Self::Count(..) => {}
        }
    }
}

fn time(bench: &Bench) {
    let mut run = (bench.make)();
    let mut times = 1;
    let one = loop {
        let took = timed(&mut run, times);
        if took > SAMPLE {
            break times;
        }
        times *= 2;
    };
    let mut samples: Vec<f64> =
        (0..SAMPLES).map(|_| timed(&mut run, one).as_secs_f64() * 1e9 / one as f64).collect();
    samples.sort_by(f64::total_cmp);
    let at = |share: f64| samples[(share * (SAMPLES - 1) as f64) as usize];
    println!(
        "{:<18} {:>10.1} ns median, {:.1} best, {:.1} at 90%",
        bench.name,
        at(0.5),
        samples[0],
        at(0.9)
    );
}

fn timed(run: &mut dyn FnMut(u64), times: u64) -> Duration {
    let began = Instant::now();
    run(times);
    began.elapsed()
}
