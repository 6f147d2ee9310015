//! Time as long as this process runs: what it sleeps through (stopped, suspended) does not count.
//!
//! Who has just been woken has not listened, and must not take that for the silence of others.

use std::time::{Duration, Instant};

/// A clock that is looked at now and then, and goes no further than `step` between two looks.
#[derive(Debug)]
pub struct Awake {
    step: Duration,
    looked: Instant,
    passed: Duration,
}

impl Awake {
    /// A clock that begins now, and is looked at more often than every `step`.
    pub fn new(step: Duration) -> Self {
        Self {
            step,
            looked: Instant::now(),
            passed: Duration::ZERO,
        }
    }

    /// How much time has passed.
    pub fn passed(&mut self) -> Duration {
        let now = Instant::now();
        self.passed += (now - self.looked).min(self.step);
        self.looked = now;
        self.passed
    }
}

#[cfg(test)]
mod tests {
    //! A long sleep counts as a short one.
    use super::*;

    #[test]
    fn sleep_does_not_count() {
        let mut clock = Awake::new(Duration::from_secs(1));
        clock.looked -= Duration::from_secs(100);
        let passed = clock.passed();
        assert_eq!(passed, Duration::from_secs(1));
        assert!(clock.passed() - passed < Duration::from_secs(1));
    }
}
