//! What came of the cases: the loss against time, what the wire carried, a table and a plot.

use crate::Outcome;
use crate::cases::{Case, Settings};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// One case that has run.
pub struct Ran {
    name: String,
    /// Seconds and mean loss of the workers.
    loss: Vec<(f64, f64)>,
    /// Mean loss with what the run left behind.
    last_loss: f64,
    passes: f64,
    /// Seconds that workers waited for others, in the mean.
    waited: f64,
    /// Mbit in all, and the most in any second of any direction of any link.
    sent_mbit: f64,
    fastest_mbit: f64,
    /// Seconds and Mbit/s of the first worker's link, from it and to it.
    wire: Vec<(f64, f64, f64)>,
    traffic: Vec<Value>,
}

/// Between two points of the curve.
const STEP_SECONDS: f64 = 0.5;

impl Ran {
    /// What the server's and the workers' `lines` say.
    pub fn new(case: &Case, settings: &Settings, lines: &[Vec<Value>]) -> Outcome<Ran> {
        let (server, workers) = lines.split_first().ok_or("nobody said anything")?;
        let curves: Vec<Vec<(f64, f64)>> =
            workers.iter().map(|lines| points(lines, "loss")).collect();
        let steps = (case.seconds(settings) / STEP_SECONDS) as usize;
        let times = (0..=steps).map(|step| step as f64 * STEP_SECONDS);
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let loss = times.map(|time| {
            (
                time,
                mean(curves.iter().map(|curve| at(curve, time)).collect()),
            )
        });
        let last = |key: &str| {
            mean(
                workers
                    .iter()
                    .filter_map(|lines| lines.iter().rev().find_map(|line| line[key].as_f64()))
                    .collect(),
            )
        };
        let counts = counts(server);
        let columns = counts.first().map_or(0, |(_, counts)| counts.len());
        let column = |column: usize| -> Vec<(f64, f64)> {
            counts
                .iter()
                .map(|(time, counts)| (*time, counts[column]))
                .collect()
        };
        let fastest = (0..columns)
            .map(|of| fastest_second(&column(of)))
            .fold(0.0, f64::max);
        let sent = (0..columns)
            .map(&column)
            .map(|c| c.last().map_or(0.0, |l| l.1) - c.first().map_or(0.0, |f| f.1))
            .sum::<f64>();
        Ok(Ran {
            name: case.name(),
            loss: loss.collect(),
            last_loss: last("final"),
            passes: last("passes"),
            waited: last("waited"),
            sent_mbit: mbit(sent),
            fastest_mbit: mbit(fastest),
            wire: rates(&column(1), &column(0)),
            traffic: workers
                .iter()
                .flatten()
                .filter(|line| line["traffic"].is_object())
                .cloned()
                .collect(),
        })
    }

    /// When the loss is `target` or less for the first time.
    fn reaches(&self, target: f64) -> Option<f64> {
        self.loss
            .iter()
            .find(|&&(_, loss)| loss <= target)
            .map(|&(time, _)| time)
    }

    /// One line for the console.
    pub fn line(&self) -> String {
        format!(
            "{:<24} loss {:.4} after {:.2} passes, waited {:.1} s, {:.0} Mbit in all, at most {:.2} Mbit in a second",
            self.name, self.last_loss, self.passes, self.waited, self.sent_mbit, self.fastest_mbit
        )
    }
}

fn mbit(bytes: f64) -> f64 {
    bytes * 8.0 / 1e6
}

fn points(lines: &[Value], key: &str) -> Vec<(f64, f64)> {
    let point = |line: &Value| Some((line["seconds"].as_f64()?, line[key].as_f64()?));
    lines.iter().filter_map(point).collect()
}

/// The last value of a curve at `time`.
fn at(curve: &[(f64, f64)], time: f64) -> f64 {
    let known = curve.iter().take_while(|point| point.0 <= time).last();
    known.or(curve.first()).map_or(f64::NAN, |point| point.1)
}

fn counts(lines: &[Value]) -> Vec<(f64, Vec<f64>)> {
    let count = |line: &Value| {
        let counts = line["wire"].as_array()?.iter().filter_map(Value::as_f64);
        Some((line["seconds"].as_f64()?, counts.collect()))
    };
    lines.iter().filter_map(count).collect()
}

/// The most that was counted in any second. Where the looks are not a second apart exactly, the
/// shorter of the two spans round it counts as one.
fn fastest_second(counts: &[(f64, f64)]) -> f64 {
    let mut most: f64 = 0.0;
    let mut end = 0;
    for &(from, before) in counts {
        while end + 1 < counts.len() && counts[end].0 - from < 1.0 {
            end += 1;
        }
        let (time, count) = counts[end];
        if time - from >= 1.0 {
            most = most.max((count - before) / (time - from));
        }
    }
    most
}

/// Mbit/s over each half second.
fn rates(from: &[(f64, f64)], to: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    let steps = (from.last().map_or(0.0, |last| last.0) / STEP_SECONDS) as usize;
    let rate = |counts: &[(f64, f64)], time| {
        (at(counts, time) - at(counts, time - STEP_SECONDS)) / STEP_SECONDS
    };
    let times = (1..=steps).map(|step| step as f64 * STEP_SECONDS);
    times
        .map(|time| (time, mbit(rate(from, time)), mbit(rate(to, time))))
        .collect()
}

/// Writes everything to `out`.
pub fn write(ran: &[Ran], settings: &Settings, out: &Path) -> Outcome<()> {
    let target = ran.first().map_or(f64::NAN, |case| case.last_loss);
    let (mut loss, mut wire) = (
        "case,seconds,loss\n".to_owned(),
        "case,seconds,mbit_from_worker,mbit_to_worker\n".to_owned(),
    );
    for case in ran {
        for (time, value) in &case.loss {
            writeln!(loss, "\"{}\",{time},{value}", case.name)?;
        }
        for (time, from, to) in &case.wire {
            writeln!(wire, "\"{}\",{time},{from:.3},{to:.3}", case.name)?;
        }
    }
    std::fs::write(out.join("loss.csv"), loss)?;
    std::fs::write(out.join("wire.csv"), wire)?;
    let budget = mbit(settings.budget_bytes());
    let summary: Vec<Value> = ran.iter().map(|case| json!({
        "case": case.name, "loss": case.last_loss, "passes": case.passes, "waited_seconds": case.waited,
        "seconds_to_first_case": case.reaches(target), "sent_mbit": case.sent_mbit,
        "fastest_second_mbit": case.fastest_mbit, "workers": case.traffic,
    })).collect();
    let summary = json!({ "budget_mbit": budget, "link_mbit": settings.mbit, "seconds": settings.seconds, "cases": summary });
    std::fs::write(
        out.join("summary.json"),
        serde_json::to_string_pretty(&summary)?,
    )?;
    std::fs::write(out.join("table.md"), table(ran, target, budget))?;
    std::fs::write(out.join("plot.svg"), plot(ran, target))?;
    print!("{}", table(ran, target, budget));
    Ok(())
}

fn table(ran: &[Ran], target: f64, budget: f64) -> String {
    let mut text = format!(
        "| case | loss in the end | seconds to {target:.4} | passes | Mbit in all | fastest second, of {budget:.1} Mbit |\n| --- | --- | --- | --- | --- | --- |\n"
    );
    for case in ran {
        let reached = case
            .reaches(target)
            .map_or("—".to_owned(), |time| format!("{time:.1}"));
        let _ = writeln!(
            text,
            "| {} | {:.4} | {reached} | {:.1} | {:.0} | {:.2} |",
            case.name, case.last_loss, case.passes, case.sent_mbit, case.fastest_mbit
        );
    }
    text
}

const WIDTH: f64 = 830.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 48.0;
const LEGEND: f64 = 270.0;
const COLOURS: [&str; 9] = [
    "#1b1b1b", "#6b6b6b", "#a8a8a8", "#c2185b", "#e08e0b", "#2e7d32", "#1565c0", "#6a3fa0",
    "#00838f",
];

/// Loss against time, one line a case.
fn plot(ran: &[Ran], target: f64) -> String {
    let all = || ran.iter().flat_map(|case| &case.loss);
    let end = all().map(|point| point.0).fold(1.0, f64::max);
    // The first moments would take all of the height.
    let high = all()
        .filter(|point| point.0 >= end / 30.0)
        .map(|point| point.1)
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    let low = all().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let x = |time: f64| LEFT + time / end * (WIDTH - LEFT - LEGEND);
    let y = |loss: f64| {
        16.0 + (high - loss.min(high)) / (high - low).max(1e-9) * (HEIGHT - BOTTOM - 16.0)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    for step in 0..=6 {
        let (time, loss) = (
            end * f64::from(step) / 6.0,
            low + (high - low) * f64::from(step) / 6.0,
        );
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#e6e6e6\"/>",
            WIDTH - LEGEND,
            y(loss)
        );
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{loss:.3}</text>",
            LEFT - 6.0,
            y(loss) + 4.0
        );
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{time:.0}</text>",
            x(time),
            HEIGHT - BOTTOM + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#1b1b1b\" stroke-dasharray=\"4 4\"/>",
        WIDTH - LEGEND,
        y(target)
    );
    for (at, case) in ran.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points: Vec<String> = case
            .loss
            .iter()
            .filter(|point| point.1 <= high)
            .map(|&(time, loss)| format!("{:.1},{:.1}", x(time), y(loss)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        );
        let row = 24.0 + 20.0 * at as f64;
        let start = WIDTH - LEGEND + 12.0;
        let _ = writeln!(
            svg,
            "<line x1=\"{start}\" x2=\"{}\" y1=\"{row}\" y2=\"{row}\" stroke=\"{colour}\" stroke-width=\"3\"/>",
            start + 18.0
        );
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            start + 24.0,
            row + 4.0,
            case.name
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">seconds</text>",
        (LEFT + WIDTH - LEGEND) / 2.0,
        HEIGHT - 10.0
    );
    let _ = writeln!(
        svg,
        "<text transform=\"translate(16 {:.1}) rotate(-90)\" text-anchor=\"middle\">mean squared error</text>\n</svg>",
        (HEIGHT - BOTTOM) / 2.0
    );
    svg
}
