//! Where and when a run took place, and how it was told what to do.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// What a command was told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settings {
    /// The command line as a person types it.
    pub line: String,
    /// The app: the first word after the program's name.
    pub app: String,
    /// All options, in the order of the help.
    pub options: Vec<Setting>,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What it was.
    pub value: String,
    /// Who said so.
    pub by: By,
}

/// Who says what an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Nobody.
    Default,
    /// The file named by `--config`.
    File,
    /// The command line.
    CommandLine,
}

/// What is known of the machine and the moment, by name.
pub fn environment() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut known = vec![
        ("strads", env!("CARGO_PKG_VERSION").to_owned()),
        ("finished", finished()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        ("cores", cores.to_string()),
    ];
    let line = |file: &str, start: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(start))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    known.extend(line("/proc/cpuinfo", "model name").map(|name| ("processor", name)));
    known.extend(line("/proc/meminfo", "MemTotal").map(|size| ("memory", size)));
    known
}

/// The moment, in UTC. It is printed, and decides nothing.
#[allow(clippy::disallowed_methods)]
fn finished() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Year, month and day, `days` after 1 January 1970.
fn date(days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_453), (2025, 12, 31));
    }
}
