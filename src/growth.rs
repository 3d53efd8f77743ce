//! For unit tests: how time grows with the size of what is read, as a ratio. A number of seconds would be a property of
//! the machine, and of what else it does; so it is this thread's own processor time that is measured.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// How coarse the clock is: a tick of the kernel.
const STEP: Duration = Duration::from_millis(4);

/// Linux tells the nanoseconds that this thread ran; elsewhere a clock on the wall has to do.
fn spent() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Asserts that four times as much takes less than nine times as long: what is quadratic takes sixteen times. `prepare`
/// makes the input of a size, outside of what is measured.
#[track_caller]
pub fn is_linear<T>(what: &str, n: usize, prepare: impl Fn(usize) -> T, work: impl Fn(&T)) {
    let (small, large) = (prepare(n), prepare(4 * n));
    let begun = spent();
    let mut times = 0;
    let one = loop {
        work(&small);
        times += 1;
        let took = spent().saturating_sub(begun);
        if took >= STEP * 6 {
            break took;
        }
    };
    let begun = spent();
    (0..times).for_each(|_| work(&large));
    let four = spent().saturating_sub(begun);
    assert!(
        four < one * 9,
        "{what}: {one:?} for {n}, {four:?} for four times as much ({times} times each)"
    );
}
