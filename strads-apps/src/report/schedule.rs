//! The schedule as pictures: which variables who updated when, and who was busy when.

use std::collections::BTreeMap;
use std::fmt::Write;

use strads::{Record, RoundRecord};

use super::figure::{Figure, SIDE, ticks};
use super::scale::{Scale, quantity};
use super::stretches::Stretch;

/// How many rows of variables there are at most.
const ROWS: usize = 48;
/// How many workers have a row of their own.
const LANES: usize = 32;
/// How many colours there are for workers.
pub const COLOURS: usize = 8;
/// How many shades of a colour.
const SHADES: usize = 5;

/// Which variables were updated in which round, and by whom. None if no plan names variables.
pub fn variables(record: &Record, stretches: &[Stretch], variable: &str) -> Option<Figure> {
    let end = |round: &RoundRecord| {
        let writes = round.sent.iter().flat_map(|sent| &sent.writes);
        writes.map(|range| range.end).max().unwrap_or(0)
    };
    let all = record.rounds.iter().map(end).max().filter(|&all| all > 0)?;
    let rows = all.min(ROWS);
    let mut cells = BTreeMap::new();
    for (column, stretch) in stretches.iter().enumerate() {
        let fullest = stretch.rounds.iter().max_by_key(|round| written(round))?;
        for (row, (worker, share)) in by_row(fullest, all, rows) {
            let shade = (share.sqrt() * SHADES as f64)
                .ceil()
                .clamp(1.0, SHADES as f64);
            let colour = (worker % COLOURS, shade as usize);
            cells
                .entry(colour)
                .or_insert_with(Vec::new)
                .push((column, rows - 1 - row));
        }
    }
    let mut drawing = String::new();
    for ((colour, shade), cells) in cells {
        let class = format!("w{colour} o{shade}");
        rectangles(&mut drawing, &class, &cells, stretches.len(), rows);
    }
    let workers = record.workers.min(COLOURS);
    let each = stretches.first().map_or(1, |s| s.rounds.len() as u64) * record.stride;
    let what = match each {
        1 => "Each column is a round".to_owned(),
        _ => format!("Each column is one of {each} rounds: the one with most to write"),
    };
    let repeated = if record.workers > COLOURS {
        "; colours repeat every 8 workers"
    } else {
        ""
    };
    Some(Figure {
        title: "Who updated what when".to_owned(),
        up: variable.to_owned(),
        along: "round".to_owned(),
        left: row_ticks(all),
        below: round_ticks(record, stretches),
        legend: (0..workers)
            .map(|worker| (format!("w{worker}"), format!("worker {worker}")))
            .collect(),
        note: format!(
            "{what}. The stronger a colour, the larger the part of its variables that were written{repeated}."
        ),
        drawing,
    })
}

/// How busy each worker was in each stretch.
pub fn lanes(record: &Record, stretches: &[Stretch]) -> Option<Figure> {
    if stretches.is_empty() {
        return None;
    }
    let rows = record.workers.min(LANES);
    let group = record.workers.div_ceil(rows);
    let rows = record.workers.div_ceil(group);
    let busy = |stretch: &Stretch, row: usize| {
        let workers = row * group..((row + 1) * group).min(record.workers);
        let count = workers.len() as f64;
        workers.map(|worker| stretch.busy(worker)).sum::<f64>() / count
    };
    let shares: Vec<Vec<f64>> = stretches
        .iter()
        .map(|stretch| (0..rows).map(|row| busy(stretch, row)).collect())
        .collect();
    // Workers that take turns on fewer threads are never busy all the time.
    let most = shares.iter().flatten().copied().fold(0.0, f64::max);
    let mut cells = BTreeMap::new();
    for (column, shares) in shares.iter().enumerate() {
        for (row, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let shade = (share / most * SHADES as f64).ceil() as usize;
            let kept: &mut Vec<_> = cells.entry(shade.clamp(1, SHADES)).or_default();
            kept.push((column, rows - 1 - row));
        }
    }
    let mut drawing = String::new();
    for (shade, cells) in cells {
        rectangles(
            &mut drawing,
            &format!("busy o{shade}"),
            &cells,
            stretches.len(),
            rows,
        );
    }
    let every = rows.div_ceil(8);
    let name = |row: usize| {
        let middle = (row as f64 + 0.5) / rows as f64;
        (middle, (row * group).to_string())
    };
    let upto = |shade: usize| {
        let share = quantity(100.0 * most * shade as f64 / SHADES as f64);
        format!("≤ {share} %")
    };
    Some(Figure {
        title: "Who was busy when".to_owned(),
        up: "worker".to_owned(),
        along: "round".to_owned(),
        left: (0..rows).step_by(every).map(name).collect(),
        below: round_ticks(record, stretches),
        legend: (1..=SHADES)
            .map(|shade| (format!("busy o{shade}"), upto(shade)))
            .collect(),
        note: "The part of a round's time that a worker computed.".to_owned(),
        drawing,
    })
}

/// Ticks over rows that stand for `all` variables: few of them are counted, many are measured.
fn row_ticks(all: usize) -> Vec<(f64, String)> {
    if all <= 12 {
        let middle = |at: usize| ((at as f64 + 0.5) / all as f64, at.to_string());
        return (0..all).map(middle).collect();
    }
    ticks(&Scale::between(0.0, all as f64), 4)
}

/// Ticks over columns that stand for all rounds of `record`.
fn round_ticks(record: &Record, stretches: &[Stretch]) -> Vec<(f64, String)> {
    let rounds = record.totals.rounds;
    if rounds <= 12 {
        let count = stretches.len() as f64;
        let middle = |at: usize| ((at as f64 + 0.5) / count, at.to_string());
        return (0..stretches.len()).map(middle).collect();
    }
    ticks(&Scale::between(0.0, rounds as f64), 6)
}

fn written(round: &RoundRecord) -> usize {
    let writes = round.sent.iter().flat_map(|sent| &sent.writes);
    writes.map(|range| range.len()).sum()
}

/// For each of `rows` rows of `all` variables who wrote most of it, and how much of it.
fn by_row(round: &RoundRecord, all: usize, rows: usize) -> BTreeMap<usize, (usize, f64)> {
    let mut found: BTreeMap<usize, (usize, f64)> = BTreeMap::new();
    let start = |row: usize| (row * all).div_ceil(rows);
    for sent in &round.sent {
        let mut mine: BTreeMap<usize, usize> = BTreeMap::new();
        for range in sent.writes.iter().filter(|range| !range.is_empty()) {
            for row in range.start * rows / all..=(range.end - 1) * rows / all {
                let from = range.start.max(start(row));
                *mine.entry(row).or_default() += range.end.min(start(row + 1)) - from;
            }
        }
        for (row, variables) in mine {
            let share = variables as f64 / (start(row + 1) - start(row)) as f64;
            let most = found.entry(row).or_insert((sent.worker, 0.0));
            if share > most.1 {
                *most = (sent.worker, share);
            }
        }
    }
    found
}

/// One path for all `cells` (column, row from the top) of a class.
fn rectangles(
    svg: &mut String,
    class: &str,
    cells: &[(usize, usize)],
    columns: usize,
    rows: usize,
) {
    let (width, height) = (SIDE / columns as f64, SIDE / rows as f64);
    let _ = write!(svg, "<path class=\"cell {class}\" d=\"");
    for &(column, row) in cells {
        // From edge to edge: neighbours share the rounded coordinate, and leave no seam.
        let edge = |at: usize, size: f64| (at as f64 * size).round();
        let (x, y) = (edge(column, width), edge(row, height));
        let (w, h) = (edge(column + 1, width) - x, edge(row + 1, height) - y);
        let _ = write!(svg, "M{x} {y}h{w}v{h}h-{w}z");
    }
    let _ = write!(svg, "\"/>");
}
