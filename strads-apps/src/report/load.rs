//! Who carried how much: work by worker, and bytes by link and kind.

use std::collections::BTreeMap;
use std::fmt::Write;

use strads::Record;
use strads::record::Traffic;

use super::figure::{BARS, Figure, SIDE, bars, escape, names, ticks};
use super::scale::{Scale, quantity, time_unit};

/// How many links are shown, the busiest ones.
const LINKS: usize = 40;
/// How many kinds have a colour of their own.
const KINDS: usize = 8;

/// How long each worker computed, beside the mean.
pub fn work(record: &Record) -> Option<Figure> {
    let seconds: Vec<f64> = record.work.iter().map(|work| work.seconds).collect();
    let (total, most) = (
        seconds.iter().sum::<f64>(),
        seconds.iter().copied().fold(0.0, f64::max),
    );
    if total <= 0.0 {
        return None;
    }
    let mean = total / seconds.len() as f64;
    let group = seconds.len().div_ceil(BARS);
    let means = seconds
        .chunks(group)
        .map(|workers| workers.iter().sum::<f64>() / workers.len() as f64);
    let (unit, factor) = time_unit(most);
    let up = Scale::from_zero(most * factor);
    let height = |seconds: f64| up.place(seconds * factor).unwrap_or(0.0);
    let heights: Vec<f64> = means.map(height).collect();
    let level = SIDE * (1.0 - height(mean));
    let drawing = format!(
        "{}<path class=\"level\" d=\"M0 {level:.1}h{SIDE}\"/>",
        bars(&heights)
    );
    Some(Figure {
        title: "Load by worker".to_owned(),
        up: format!("{unit} of computing"),
        along: "worker".to_owned(),
        left: ticks(&up, 4),
        below: names(heights.len(), group),
        legend: vec![("dashed".to_owned(), "mean".to_owned())],
        note: format!(
            "The busiest worker computed {:.2} times as long as the mean one; planned costs were \
             {:.2} times as much, summed over rounds.",
            most / mean,
            record.totals.imbalance()
        ),
        drawing,
    })
}

/// Bytes by link and kind as a list of bars; empty if nothing was sent.
pub fn links(record: &Record) -> String {
    let mut links: BTreeMap<(&str, &str), Vec<&Traffic>> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for traffic in record.links.iter().filter(|traffic| traffic.bytes > 0) {
        links
            .entry((&traffic.from, &traffic.to))
            .or_default()
            .push(traffic);
        *kinds.entry(&traffic.kind).or_default() += traffic.bytes;
    }
    if links.is_empty() {
        return String::new();
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|&(name, bytes)| (std::cmp::Reverse(bytes), name));
    let colour = |kind: &str| {
        let at = kinds.iter().position(|(name, _)| *name == kind);
        at.unwrap_or_default().min(KINDS - 1)
    };
    let total = |parts: &Vec<&Traffic>| parts.iter().map(|part| part.bytes).sum::<u64>();
    let mut links: Vec<_> = links.into_iter().collect();
    links.sort_by_key(|(ends, parts)| (std::cmp::Reverse(total(parts)), *ends));
    let most = links.first().map_or(1, |(_, parts)| total(parts)) as f64;

    let mut html =
        "<figure class=\"wide links\"><figcaption><b>Bytes by link</b><span class=\"legend\">"
            .to_owned();
    for (name, bytes) in &kinds {
        let bytes = quantity(*bytes as f64);
        let _ = write!(
            html,
            "<span><i class=\"w{}\"></i>{} {bytes}B</span>",
            colour(name),
            escape(name)
        );
    }
    html += "</span></figcaption><table>";
    for ((from, to), parts) in links.iter().take(LINKS) {
        let (from, to) = (escape(from), escape(to));
        let _ = write!(html, "<tr><th>{from} → {to}</th><td class=\"track\">");
        for part in parts {
            let width = 100.0 * part.bytes as f64 / most;
            let _ = write!(
                html,
                "<i class=\"w{}\" style=\"width:{width:.2}%\"></i>",
                colour(&part.kind)
            );
        }
        let _ = write!(
            html,
            "</td><td>{}B</td></tr>",
            quantity(total(parts) as f64)
        );
    }
    html += "</table>";
    if links.len() > LINKS {
        let _ = write!(
            html,
            "<p class=\"note\">{} quieter links are not shown.</p>",
            links.len() - LINKS
        );
    }
    html + "</figure>\n"
}
