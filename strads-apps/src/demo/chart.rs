//! A line chart as SVG: one measure over seconds.
//!
//! Colours are CSS variables of the page, so the chart follows its light and dark themes.

use std::fmt::Write;

/// What is drawn.
pub struct Chart<'a> {
    /// Seconds and value, in order.
    pub points: &'a [(f64, f64)],
    /// What the value is.
    pub axis: &'a str,
    /// A level to compare with, and what it is.
    pub ideal: Option<(f64, &'a str)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 44.0;

/// A range of values and the stretch of pixels that it takes.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// Round numbers in the range: multiples of 1, 2 or 5 times a power of ten.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let unit = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * unit);
        let step = steps
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(unit);
        let (first, last) = (
            (self.low / step).ceil() as i64,
            (self.high / step).floor() as i64,
        );
        (first..=last).map(|k| k as f64 * step).collect()
    }
}

impl Chart<'_> {
    /// The drawing; empty if there is nothing to draw.
    pub fn svg(&self) -> String {
        let shown = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        let points: Vec<_> = self.points.iter().copied().filter(shown).collect();
        if points.is_empty() {
            return String::new();
        }
        let (x, y) = self.scales(&points);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} over seconds\">",
            self.axis
        );
        grid(&mut svg, &x, &y);
        let _ = write!(
            svg,
            "<text class=\"axis\" x=\"8\" y=\"16\">{}</text>",
            self.axis
        );
        let _ = write!(
            svg,
            "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">seconds of training</text>",
            (x.from + x.to) / 2.0,
            HEIGHT - 8.0
        );
        if let Some((level, name)) = self.ideal {
            ideal(&mut svg, &x, y.place(level), name);
        }
        let path: Vec<_> = points
            .iter()
            .map(|&(at, value)| format!("{:.1},{:.1}", x.place(at), y.place(value)))
            .collect();
        let _ = write!(
            svg,
            "<polyline class=\"curve\" points=\"{}\"/>",
            path.join(" ")
        );
        if points.len() <= 60 {
            for point in &path {
                let (cx, cy) = point.split_once(',').unwrap_or_default();
                let _ = write!(
                    svg,
                    "<circle class=\"dot\" cx=\"{cx}\" cy=\"{cy}\" r=\"2.5\"/>"
                );
            }
        }
        svg + "</svg>"
    }

    fn scales(&self, points: &[(f64, f64)]) -> (Scale, Scale) {
        let values = points
            .iter()
            .map(|point| point.1)
            .chain(self.ideal.map(|ideal| ideal.0));
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let last = points.last().map_or(0.0, |point| point.0);
        let x = Scale {
            low: 0.0,
            high: if last > 0.0 { last } else { 1.0 },
            from: LEFT,
            to: WIDTH - RIGHT,
        };
        // Some air above and below; a flat curve still gets a range.
        let air = ((high - low) * 0.06).max(high.abs() * 1e-3).max(1e-9);
        let y = Scale {
            low: low - air,
            high: high + air,
            from: HEIGHT - BOTTOM,
            to: TOP,
        };
        (x, y)
    }
}

fn grid(svg: &mut String, x: &Scale, y: &Scale) {
    for tick in y.ticks() {
        let at = y.place(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x.from,
            x.to,
            x.from - 8.0,
            at + 4.0,
            label(tick)
        );
    }
    for tick in x.ticks() {
        let at = x.place(tick);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            y.from + 18.0,
            label(tick)
        );
    }
}

fn ideal(svg: &mut String, x: &Scale, at: f64, name: &str) {
    let _ = write!(
        svg,
        "<line class=\"ideal\" x1=\"{}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
         <text class=\"note\" x=\"{}\" y=\"{:.1}\">{name}</text>",
        x.from,
        x.to,
        x.from + 6.0,
        at - 6.0
    );
}

/// A tick without the noise of binary fractions.
fn label(tick: f64) -> String {
    let size = tick.abs();
    if size > 0.0 && !(1e-3..1e5).contains(&size) {
        format!("{tick:.0e}")
    } else {
        let text = format!("{tick:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks are round numbers within the range, a handful of them.
    #[test]
    fn ticks_are_few_and_round() {
        for (low, high) in [(0.0, 0.037), (0.49, 1.02), (0.0, 1400.0)] {
            let scale = Scale {
                low,
                high,
                from: 0.0,
                to: 1.0,
            };
            let ticks = scale.ticks();
            assert!((2..=9).contains(&ticks.len()), "{ticks:?}");
            assert!(
                ticks.iter().all(|tick| (low..=high).contains(tick)),
                "{ticks:?}"
            );
            assert!(
                ticks.iter().all(|tick| label(*tick).len() <= 6),
                "{ticks:?}"
            );
        }
    }

    /// One point, equal points and values that cannot be drawn are no trouble.
    #[test]
    fn odd_curves_are_drawn_within_the_picture() {
        let curves: [&[(f64, f64)]; 3] = [
            &[(0.0, 1.0)],
            &[(0.0, 2.0), (1.0, 2.0)],
            &[(0.0, f64::NAN), (1.0, 3.0), (2.0, 0.0)],
        ];
        for points in curves {
            let chart = Chart {
                points,
                axis: "error",
                ideal: None,
            };
            let svg = chart.svg();
            assert!(
                svg.contains("polyline") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
        }
    }
}
