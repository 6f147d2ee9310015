//! Which of a worker's operations on a table are unfinished, for tables whose operations depend
//! on those before them.

use std::collections::BTreeMap;

/// The operations of one worker on one table, numbered as they start.
#[derive(Default)]
pub(super) struct Operations {
    started: u64,
    /// Unfinished operations, and the messages of each that have not been answered.
    unfinished: BTreeMap<u64, usize>,
}

impl Operations {
    /// Whether the next operation may start, if all but the last `delay` must be finished.
    pub fn may_start(&self, delay: u64) -> bool {
        let oldest = self.unfinished.keys().next();
        oldest.is_none_or(|&oldest| self.started - oldest <= delay)
    }

    /// Starts an operation of `parts` messages.
    pub fn start(&mut self, parts: usize) -> u64 {
        let number = self.started;
        self.started += 1;
        if parts > 0 {
            self.unfinished.insert(number, parts);
        }
        number
    }

    /// One message of an operation has been answered.
    pub fn finish_part(&mut self, operation: u64) {
        if let Some(parts) = self.unfinished.get_mut(&operation) {
            *parts -= 1;
            if *parts == 0 {
                self.unfinished.remove(&operation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With delay τ, operation n waits for n − τ − 1 and all before it, and for no other.
    #[test]
    fn an_operation_waits_for_all_but_the_last() {
        for delay in 0..4 {
            let mut operations = Operations::default();
            for _ in 0..=delay {
                assert!(operations.may_start(delay));
                operations.start(1);
            }
            assert!(!operations.may_start(delay));
            // Finishing a later one does not help; finishing the oldest does.
            if delay > 0 {
                operations.finish_part(delay);
                assert!(!operations.may_start(delay));
            }
            operations.finish_part(0);
            assert!(operations.may_start(delay));
        }
    }

    #[test]
    fn eventual_never_waits() {
        let mut operations = Operations::default();
        for _ in 0..1000 {
            assert!(operations.may_start(u64::MAX));
            operations.start(2);
        }
    }
}
