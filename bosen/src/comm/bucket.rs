//! A token bucket: bytes over any window of `w` seconds are at most `rate · w + burst`.
//!
//! All in integers (bytes times nanoseconds a second), so that the bound is exact and a replayed
//! run the same. Bytes are taken out before they are written, never estimated afterwards.

use std::time::Duration;

/// A byte, as credit.
const BYTE: u128 = 1_000_000_000;

/// A token bucket, full at first.
#[derive(Clone, Debug)]
pub struct Bucket {
    bytes_per_second: u64,
    burst_bytes: u64,
    credit: u128,
    at: Duration,
}

impl Bucket {
    /// A bucket that fills by `bytes_per_second` up to `burst_bytes`; both are at least 1.
    pub fn new(bytes_per_second: u64, burst_bytes: u64) -> Bucket {
        let burst_bytes = burst_bytes.max(1);
        Bucket {
            bytes_per_second: bytes_per_second.max(1),
            burst_bytes,
            credit: u128::from(burst_bytes) * BYTE,
            at: Duration::ZERO,
        }
    }

    /// Bytes that may be written at once after a pause.
    pub fn burst_bytes(&self) -> u64 {
        self.burst_bytes
    }

    /// Bytes that may be written now.
    pub fn available(&mut self, now: Duration) -> u64 {
        let elapsed = now.saturating_sub(self.at).as_nanos();
        self.at = self.at.max(now);
        let full = u128::from(self.burst_bytes) * BYTE;
        self.credit = (self.credit + elapsed * u128::from(self.bytes_per_second)).min(full);
        (self.credit / BYTE) as u64
    }

    /// Takes out `bytes`, which have to be available.
    pub fn take(&mut self, bytes: u64) {
        let credit = u128::from(bytes) * BYTE;
        assert!(
            credit <= self.credit,
            "{bytes} bytes from a bucket with less"
        );
        self.credit -= credit;
    }

    /// When `bytes`, or as many as the bucket holds, are available if nothing is taken before.
    pub fn ready_at(&self, bytes: u64) -> Duration {
        let credit = u128::from(bytes.min(self.burst_bytes)) * BYTE;
        let lacking = credit.saturating_sub(self.credit);
        let nanoseconds = lacking.div_ceil(u128::from(self.bytes_per_second));
        self.at + Duration::from_nanos(nanoseconds as u64)
    }
}
