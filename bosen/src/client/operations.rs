//! Which of a worker's operations on a table are unfinished, for tables whose operations depend
//! on those before them.

use std::collections::VecDeque;

/// The operations of one worker on one table, numbered as they start.
#[derive(Default)]
pub(super) struct Operations {
    started: u64,
    /// From the oldest unfinished operation on, the messages of each that have not been answered.
    unanswered: VecDeque<usize>,
}

impl Operations {
    /// Whether the next operation may start, if all but the last `delay` must be finished.
    pub fn may_start(&self, delay: u64) -> bool {
        self.unanswered.len() as u64 <= delay
    }

    /// Starts an operation of `parts` messages.
    pub fn start(&mut self, parts: usize) -> u64 {
        self.unanswered.push_back(parts);
        self.started += 1;
        self.forget_finished();
        self.started - 1
    }

    /// One message of an operation has been answered.
    pub fn finish_part(&mut self, operation: u64) {
        let after = self.started - operation;
        let place = (self.unanswered.len() as u64).checked_sub(after);
        let parts = place.and_then(|place| self.unanswered.get_mut(place as usize));
        if let Some(parts) = parts {
            *parts = parts.saturating_sub(1);
            self.forget_finished();
        }
    }

    fn forget_finished(&mut self) {
        while self.unanswered.pop_front_if(|parts| *parts == 0).is_some() {}
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
