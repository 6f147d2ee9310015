//! The page of a report: what it says, in which order.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;
use strads::{Ended, Record};

use super::environment::{By, environment};
use super::figure::{Figure, SIDE, escape, ticks};
use super::lines::{Lines, Series, Up};
use super::scale::{Scale, quantity, time_unit};
use super::stretches::{Stretch, stretches};
use super::{Report, load, measures, schedule, staleness};

const STYLE: &str = include_str!("style.css");

/// The start of a page, up to its content.
pub fn head(title: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
}

/// The end of a page.
pub const TAIL: &str = "</main>\n</body>\n</html>\n";

/// Writes the page of `report`.
pub fn write(report: &Report, into: &mut impl Write) -> io::Result<()> {
    let settings = &report.settings;
    write!(into, "{}", head(&format!("strads {}", settings.app)))?;
    writeln!(into, "<h1>strads {}</h1>", escape(&settings.app))?;
    writeln!(into, "<pre>{}</pre>", escape(&settings.line))?;
    writeln!(into, "{}", key_figures(report))?;
    section(into, "Convergence", &convergence(report))?;
    if let Some(record) = report
        .record
        .as_ref()
        .filter(|record| !record.rounds.is_empty())
    {
        let stretches = stretches(record);
        section(into, "Throughput", &throughput(report, record, &stretches))?;
        section(
            into,
            "Schedule",
            &schedule(record, &stretches, variable(&settings.app)),
        )?;
        section(into, "Load", &balance(record, &stretches))?;
        section(into, "Communication", &load::links(record))?;
    }
    writeln!(
        into,
        "<h2>What was said and done</h2>\n<div class=\"tables\">"
    )?;
    write!(into, "{}", tables(report))?;
    write!(into, "</div>\n{TAIL}")
}

fn section(into: &mut impl Write, title: &str, figures: &str) -> io::Result<()> {
    if figures.is_empty() {
        return Ok(());
    }
    writeln!(
        into,
        "<h2>{title}</h2>\n<div class=\"figures\" id=\"{}\">\n{figures}</div>",
        title.to_lowercase()
    )
}

/// The numbers that a reader looks for first.
fn key_figures(report: &Report) -> String {
    let mut tiles = Vec::new();
    let done = |field: &str| report.done[field].as_f64();
    if let Some(seconds) = done("seconds_train") {
        tiles.push((duration(seconds), "training"));
    }
    tiles.extend(done("seconds_read").map(|seconds| (duration(seconds), "reading")));
    let written = done("seconds_write").filter(|&seconds| seconds >= 1e-3);
    tiles.extend(written.map(|seconds| (duration(seconds), "writing")));
    if let Some(record) = &report.record {
        let totals = &record.totals;
        tiles.push((quantity(totals.rounds as f64), ended(record.ended)));
        if totals.updates > 0 && totals.seconds > 0.0 {
            let speed = quantity(totals.updates as f64 / totals.seconds);
            tiles.push((format!("{speed}/s"), unit(&report.settings.app)));
        }
        tiles.push((
            format!("{:.2}", totals.imbalance()),
            "imbalance (1 is even)",
        ));
        tiles.push((percent(totals.fullness()), "full rounds"));
        if totals.dropped > 0 {
            let share = totals.dropped as f64 / totals.planned.max(1) as f64;
            tiles.push((percent(share), "of entries stale, dropped"));
        }
    }
    let tile = |(value, name): &(String, &str)| {
        format!(
            "<div><b>{}</b><span>{}</span></div>",
            escape(value),
            escape(name)
        )
    };
    let tiles: String = tiles.iter().map(tile).collect();
    format!("<div class=\"tiles\">{tiles}</div>")
}

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Finished => "rounds, until finished",
        Ended::Rounds | Ended::Updates => "rounds, as told",
        Ended::Seconds => "rounds, until time was up",
        Ended::Objective => "rounds, until the objective",
        Ended::Change => "rounds, until little changed",
        Ended::Observer => "rounds, then stopped",
    }
}

/// What an app updates.
fn unit(app: &str) -> &'static str {
    match app {
        "lasso" | "logistic" => "coefficient updates",
        "lda" => "tokens sampled",
        "mf" => "ratings learnt from",
        "mlr" => "examples learnt from",
        _ => "updates",
    }
}

/// What an app's schedule has as its variables.
fn variable(app: &str) -> &'static str {
    match app {
        "lasso" | "logistic" | "mlr" => "feature",
        "lda" => "block of words",
        "mf" => "block of items",
        _ => "variable",
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn duration(seconds: f64) -> String {
    let (unit, factor) = time_unit(seconds);
    let short = match unit {
        "hours" => "h",
        "seconds" => "s",
        "milliseconds" => "ms",
        _ => "µs",
    };
    format!("{} {short}", quantity(seconds * factor))
}

fn convergence(report: &Report) -> String {
    let figures = measures::figures(report.measured(), unit(&report.settings.app));
    let drawn = figures.into_iter().flatten().flatten();
    drawn
        .filter_map(Lines::figure)
        .map(|figure| figure.html(false))
        .collect()
}

fn throughput(report: &Report, record: &Record, stretches: &[Stretch]) -> String {
    let (time, factor) = time_unit(record.totals.seconds);
    let mut points = Vec::new();
    for stretch in stretches {
        let speed = stretch.updates_per_second();
        points.push((stretch.began() * factor, speed));
        points.push((stretch.ended() * factor, speed));
    }
    let what = unit(&report.settings.app);
    let speed = Lines {
        title: "Throughput".to_owned(),
        up: format!("{what} a second"),
        scale: Up::FromZero,
        along: format!("{time} in rounds"),
        series: vec![Series {
            name: what.to_owned(),
            points,
        }],
        level: None,
        note: String::new(),
    };
    let speed = (record.totals.updates > 0)
        .then(|| speed.figure())
        .flatten();
    let speed = speed.map_or(String::new(), |figure| figure.html(false));
    speed + &time_spent(report, record, stretches).html(false)
}

/// What threads did with their time, as areas on top of each other.
fn time_spent(report: &Report, record: &Record, stretches: &[Stretch]) -> Figure {
    let threads = report.threads.min(record.workers).max(1);
    let parts = [
        ("computing", "w0"),
        ("committing", "w2"),
        ("planning", "w1"),
        ("waiting", "idle"),
    ];
    let mut drawing = String::new();
    let width = SIDE / stretches.len() as f64;
    let shares: Vec<[f64; 4]> = stretches
        .iter()
        .map(|stretch| {
            let shares = stretch.shares(threads, record.depth);
            [
                shares.computing,
                shares.committing,
                shares.planning,
                shares.waiting,
            ]
        })
        .collect();
    for (part, (_, class)) in parts.iter().enumerate() {
        let _ = write!(drawing, "<path class=\"cell {class}\" d=\"");
        for (column, shares) in shares.iter().enumerate() {
            let below: f64 = shares[..part].iter().sum();
            let (top, tall) = (SIDE * (1.0 - below - shares[part]), SIDE * shares[part]);
            let (left, right) = (
                (column as f64 * width).round(),
                ((column + 1) as f64 * width).round(),
            );
            if tall >= 0.5 {
                let wide = right - left;
                let _ = write!(
                    drawing,
                    "M{left} {:.1}h{wide}v{tall:.1}h-{wide}z",
                    top.max(0.0)
                );
            }
        }
        drawing += "\"/>";
    }
    let mean = |part: usize| shares.iter().map(|s| s[part]).sum::<f64>() / shares.len() as f64;
    let legend = |(part, (name, class)): (usize, &(&str, &str))| {
        (
            (*class).to_owned(),
            format!("{name} {}", percent(mean(part))),
        )
    };
    Figure {
        title: "What threads did".to_owned(),
        up: format!("share of the time of {threads} threads, %"),
        along: "round".to_owned(),
        left: (0..=4)
            .map(|quarter| (f64::from(quarter) / 4.0, (25 * quarter).to_string()))
            .collect(),
        below: ticks(&Scale::between(0.0, record.totals.rounds as f64), 4),
        legend: parts.iter().enumerate().map(legend).collect(),
        note: String::new(),
        drawing,
    }
}

fn schedule(record: &Record, stretches: &[Stretch], variable: &str) -> String {
    let variables = schedule::variables(record, stretches, variable);
    let mut html = variables.map_or(String::new(), |figure| figure.html(true));
    html += &schedule::lanes(record, stretches).map_or(String::new(), |figure| figure.html(true));
    html + &fullness(record, stretches)
}

/// How full rounds were, and what was dropped as stale; a sentence where there is nothing to draw.
fn fullness(record: &Record, stretches: &[Stretch]) -> String {
    let totals = &record.totals;
    if totals.dropped == 0 && totals.fullness() > 0.9995 {
        return "<p class=\"wide\">Every round had all that was asked for, and no entry went stale \
                before its turn.</p>"
            .to_owned();
    }
    let step = totals.rounds as f64 / stretches.len() as f64;
    let curve = |name: &str, of: fn((f64, f64)) -> f64| Series {
        name: name.to_owned(),
        points: stretches
            .iter()
            .enumerate()
            .map(|(at, s)| ((at as f64 + 0.5) * step, 100.0 * of(s.full_and_dropped())))
            .collect(),
    };
    let lines = Lines {
        title: "Full, stale and dropped".to_owned(),
        up: "% of the entries asked for".to_owned(),
        scale: Up::FromZero,
        along: "round".to_owned(),
        series: vec![
            curve("dispatched", |(full, _)| full),
            curve("stale, dropped", |(_, dropped)| dropped),
        ],
        level: None,
        note:
            "What is missing to 100 % was not safe to update with the rest, or there was no more \
               to do."
                .to_owned(),
    };
    lines
        .figure()
        .map_or(String::new(), |figure| figure.html(false))
}

fn balance(record: &Record, stretches: &[Stretch]) -> String {
    let work = load::work(record).map_or(String::new(), |figure| figure.html(false));
    let step = record.totals.rounds as f64 / stretches.len() as f64;
    let points = stretches.iter().enumerate();
    let lines = Lines {
        title: "Imbalance".to_owned(),
        up: "most loaded / mean worker, planned cost".to_owned(),
        scale: Up::Around,
        along: "round".to_owned(),
        series: vec![Series {
            name: "imbalance".to_owned(),
            points: points
                .map(|(at, s)| ((at as f64 + 0.5) * step, s.imbalance()))
                .collect(),
        }],
        level: Some((1.0, "even".to_owned())),
        note: String::new(),
    };
    let imbalance = (record.workers > 1).then(|| lines.figure()).flatten();
    let reads = staleness::reads(record);
    let beside = [imbalance, reads].into_iter().flatten();
    work + &beside.map(|figure| figure.html(false)).collect::<String>()
}

/// Result, data, options and environment.
fn tables(report: &Report) -> String {
    let mut html = table("Result", scalars(&report.done));
    html += &table("Data", scalars(&report.start));
    let options = report.settings.options.iter().map(|setting| {
        let by = match setting.by {
            By::Default => "default",
            By::File => "file",
            By::CommandLine => "",
        };
        (setting.name.clone(), setting.value.clone(), by)
    });
    html += &table("Options", options);
    let environment = environment().into_iter();
    html + &table(
        "Environment",
        environment.map(|(name, value)| (name.to_owned(), value, "")),
    )
}

fn table(title: &str, rows: impl Iterator<Item = (String, String, &'static str)>) -> String {
    let rows: String = rows
        .map(|(name, value, by)| {
            let (name, value) = (escape(&name), escape(&value));
            format!("<tr><th>{name}</th><td>{value}<small>{by}</small></td></tr>\n")
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!("<table><caption>{title}</caption>\n{rows}</table>\n")
}

/// The numbers, words and yes or no among the fields of an event.
fn scalars(event: &Value) -> impl Iterator<Item = (String, String, &'static str)> {
    let fields = event.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| {
        let shown = match value {
            Value::Number(number) => match number.as_f64() {
                Some(value) if !number.is_u64() && value.abs() >= 1e-3 => format!("{value:.6}"),
                Some(value) if !number.is_u64() => format!("{value:.4e}"),
                _ => number.to_string(),
            },
            Value::String(text) => text.clone(),
            Value::Bool(is) => is.to_string(),
            _ => return None,
        };
        Some((name.replace('_', " "), shown, ""))
    })
}
