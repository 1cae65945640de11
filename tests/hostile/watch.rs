//! Runs one input after the other and reports those that panic, take too long, or take too much memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use webtune::rng::Rng;

/// What an input may take on top of a multiple of its own size.
const BYTES: isize = 64 << 20;
const BYTES_PER_BYTE: isize = 20;
const TIME: Duration = Duration::from_secs(1);
/// After this long an input counts as one that never ends.
const HANG: Duration = Duration::from_secs(60);
/// An allocation beyond this ends the process, before the machine's memory is at its end.
const LIMIT: isize = 2 << 30;
/// Inputs of one thread, whose name is all that is known of a stack that overflowed.
const OF_THREAD: u64 = 1000;
/// Rust's default in a WebAssembly module is half of it, in a build whose frames are smaller than those of a debug build.
const STACK: usize = 2 << 20;
/// Findings that are reported of one kind of input.
const SHOWN: usize = 20;

/// Counts what each thread holds, so that tests may run side by side.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static INPUT: Cell<u64> = const { Cell::new(0) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

fn count(bytes: isize) -> isize {
    // a thread that ends may free what it holds after its counters are gone
    HELD.try_with(|held| {
        let now = held.get() + bytes;
        held.set(now);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
        now
    })
    .unwrap_or(0)
}

// SAFETY: every call goes to the system's allocator unchanged or fails; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if count(layout.size() as isize) > LIMIT {
            let input = INPUT.try_with(Cell::get).unwrap_or(0);
            let size = layout.size();
            let _ = writeln!(
                std::io::stderr(),
                "input {input} takes more than {LIMIT} bytes, {size} at last"
            );
            return std::ptr::null_mut();
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Panics of inputs are kept, those of the test itself are printed.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                PANIC.set(Some(info.to_string().replace('\n', ": ")));
            } else {
                before(info);
            }
        }));
    });
}

/// Whether the input was read, or what is wrong with how it was.
type Judgement = Result<bool, String>;

fn judge(entry: fn(&[u8]) -> bool, input: &[u8]) -> Judgement {
    // a machine that does something else meanwhile does not count
    for last in [false, false, true] {
        let held = HELD.get();
        PEAK.set(held);
        let start = Instant::now();
        QUIET.set(true);
        let outcome = catch_unwind(AssertUnwindSafe(|| entry(input)));
        QUIET.set(false);
        let took = start.elapsed();
        let bytes = PEAK.get() - held;
        let Ok(read) = outcome else {
            return Err(PANIC.take().unwrap_or_else(|| "it panics".into()));
        };
        if bytes > BYTES + BYTES_PER_BYTE * input.len() as isize {
            return Err(format!("it takes {} MiB of memory", bytes >> 20));
        }
        if took < TIME {
            return Ok(read);
        }
        if last {
            return Err(format!("it takes {:.1} s", took.as_secs_f64()));
        }
    }
    Ok(false)
}

/// Whether this one input is read.
///
/// # Panics
/// If it is not taken as it should be.
pub fn one(entry: fn(&[u8]) -> bool, input: &[u8]) -> bool {
    keep_panics();
    judge(entry, input).unwrap_or_else(|reason| panic!("{reason}"))
}

/// What one thread found: why an input is bad, its number, and how many more are bad for the same reason; and the slowest input.
#[derive(Default)]
struct Part {
    /// Inputs that were not refused.
    read: u64,
    found: BTreeMap<String, (u64, usize)>,
    slowest: (Duration, u64),
}

/// Takes `WEBTUNE_FUZZ_INPUTS` inputs that `make` draws, or `otherwise` if it is not set, from number `WEBTUNE_FUZZ_FROM` on; `WEBTUNE_SEED` sets which.
///
/// # Panics
/// With the number of each input that the entry did not take as it should. The inputs are left in cargo's folder for tests' files.
pub fn inputs(
    name: &'static str,
    otherwise: u64,
    entry: fn(&[u8]) -> bool,
    make: impl Fn(&mut Rng) -> Vec<u8> + Sync,
) {
    keep_panics();
    let seed = number("WEBTUNE_SEED").unwrap_or(1);
    let from = number("WEBTUNE_FUZZ_FROM").unwrap_or(0);
    let end = from + number("WEBTUNE_FUZZ_INPUTS").unwrap_or(otherwise);
    let (current, done) = (AtomicU64::new(from), AtomicBool::new(false));
    let work = |first: u64, last: u64| {
        let mut part = Part::default();
        for index in first..last {
            current.store(index, Relaxed);
            INPUT.set(index);
            let input = make(&mut Rng::stream(seed, &format!("{name}/{index}")));
            let begun = Instant::now();
            match judge(entry, &input) {
                Ok(read) => part.read += u64::from(read),
                Err(reason) => {
                    let path = format!("{}/{name}-{index}", env!("CARGO_TARGET_TMPDIR"));
                    std::fs::write(path, &input).unwrap();
                    part.found.entry(reason).or_insert((index, 0)).1 += 1;
                }
            }
            part.slowest = part.slowest.max((begun.elapsed(), index));
        }
        part
    };
    let start = Instant::now();
    let mut all = Part::default();
    std::thread::scope(|scope| {
        let (work, current, done) = (&work, &current, &done);
        scope.spawn(move || watch(name, seed, current, done));
        for first in (from..end).step_by(OF_THREAD as usize) {
            let last = end.min(first + OF_THREAD);
            let thread = std::thread::Builder::new()
                .name(format!("{name}, seed {seed}, inputs {first} to {last}"))
                .stack_size(STACK);
            let thread = thread.spawn_scoped(scope, move || work(first, last));
            let part = thread.unwrap().join().unwrap();
            for (reason, (index, times)) in part.found {
                all.found.entry(reason).or_insert((index, 0)).1 += times;
            }
            all.read += part.read;
            all.slowest = all.slowest.max(part.slowest);
        }
        done.store(true, Relaxed);
    });
    let Part {
        read,
        found,
        slowest,
    } = all;
    println!(
        "hostile | {name} | {} | {read} | {:.1} | {:.0} ms (input {}) | {}",
        end - from,
        start.elapsed().as_secs_f64(),
        slowest.0.as_secs_f64() * 1e3,
        slowest.1,
        found.len()
    );
    let lines = found.iter().take(SHOWN).map(|(reason, (index, times))| {
        format!("{name}, seed {seed}, input {index}, {times} times: {reason}\n")
    });
    assert!(found.is_empty(), "{}", lines.collect::<String>());
}

/// Ends the process if one input never ends: its thread cannot be stopped.
fn watch(name: &str, seed: u64, current: &AtomicU64, done: &AtomicBool) {
    let mut last = (u64::MAX, Instant::now());
    while !done.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
        let index = current.load(Relaxed);
        if index != last.0 {
            last = (index, Instant::now());
        } else if last.1.elapsed() > HANG {
            eprintln!("{name}, seed {seed}, input {index}: no end after {HANG:?}");
            std::process::exit(1);
        }
    }
}
