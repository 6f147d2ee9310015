//! Line charts: values over time or over updates.

use std::fmt::Write;

use super::figure::{Figure, SIDE, ticks};
use super::scale::Scale;

/// A curve with what it is called.
pub struct Series {
    /// What it is.
    pub name: String,
    /// Its points, in order.
    pub points: Vec<(f64, f64)>,
}

/// How values go up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Up {
    /// From somewhat below the smallest to somewhat above the largest.
    Around,
    /// From nothing.
    FromZero,
    /// By powers of ten.
    Logarithmic,
}

/// What is drawn.
pub struct Lines {
    /// What is shown.
    pub title: String,
    /// What the values are.
    pub up: String,
    /// How they go up.
    pub scale: Up,
    /// What they are over.
    pub along: String,
    /// The curves.
    pub series: Vec<Series>,
    /// A level to compare with, and what it is.
    pub level: Option<(f64, String)>,
    /// What a reader should know of the figure.
    pub note: String,
}

/// More points than this are more than a screen shows.
const SHOWN: usize = 600;
/// With as few points as this, each is worth a dot.
const DOTTED: usize = 40;

impl Lines {
    /// The figure; none if there is nothing to draw.
    pub fn figure(mut self) -> Option<Figure> {
        for series in &mut self.series {
            let log = self.scale == Up::Logarithmic;
            let shown = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite() && (!log || y > 0.0);
            series.points.retain(shown);
        }
        self.series.retain(|series| !series.points.is_empty());
        if self.series.is_empty() {
            return None;
        }
        let points = || self.series.iter().flat_map(|series| &series.points);
        let level = self.level.as_ref().map(|level| level.0);
        let values = points().map(|point| point.1).chain(level);
        let up = match self.scale {
            Up::Around => Scale::around(values),
            Up::FromZero => Scale::from_zero(values.fold(0.0, f64::max)),
            Up::Logarithmic => Scale::logarithmic(values),
        };
        let along = Scale::between(0.0, points().map(|point| point.0).fold(0.0, f64::max));
        let mut drawing = String::new();
        if let Some(at) = level.and_then(|level| up.place(level)) {
            let y = SIDE * (1.0 - at);
            let _ = write!(drawing, "<path class=\"level\" d=\"M0 {y:.1}h{SIDE}\"/>");
        }
        for (number, series) in self.series.iter().enumerate() {
            draw(&mut drawing, number, &series.points, &along, &up);
        }
        Some(Figure {
            legend: self.legend(),
            left: ticks(&up, 5),
            below: ticks(&along, 4),
            title: self.title,
            up: self.up,
            along: self.along,
            note: self.note,
            drawing,
        })
    }

    /// One curve needs no name.
    fn legend(&self) -> Vec<(String, String)> {
        let named = self.series.iter().enumerate();
        let mut legend: Vec<_> = named
            .map(|(number, series)| (format!("c{number}"), series.name.clone()))
            .collect();
        if legend.len() == 1 {
            legend.clear();
        }
        let level = self.level.iter();
        legend.extend(level.map(|(_, name)| ("dashed".to_owned(), name.clone())));
        legend
    }
}

fn draw(svg: &mut String, number: usize, points: &[(f64, f64)], along: &Scale, up: &Scale) {
    let placed: Vec<(f64, f64)> = thinned(points)
        .filter_map(|&(x, y)| Some((SIDE * along.place(x)?, SIDE * (1.0 - up.place(y)?))))
        .collect();
    let _ = write!(svg, "<polyline class=\"curve s{number}\" points=\"");
    for (x, y) in &placed {
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    let _ = write!(svg, "\"/>");
    if placed.len() <= DOTTED {
        // A line of no length with round ends is a dot that stretching leaves round.
        let _ = write!(svg, "<path class=\"dots s{number}\" d=\"");
        for (x, y) in &placed {
            let _ = write!(svg, "M{x:.1} {y:.1}h0");
        }
        let _ = write!(svg, "\"/>");
    }
}

/// Evenly spaced ones of many points, with the last one.
fn thinned(points: &[(f64, f64)]) -> impl Iterator<Item = &(f64, f64)> {
    let stride = points.len().div_ceil(SHOWN).max(1);
    let last = points.len() - 1;
    let kept = move |at: &usize| at.is_multiple_of(stride) || *at == last;
    (0..points.len()).filter(kept).map(|at| &points[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(points: &[(f64, f64)], scale: Up) -> Option<Figure> {
        let series = Series {
            name: "error".to_owned(),
            points: points.to_vec(),
        };
        let lines = Lines {
            title: String::new(),
            up: String::new(),
            scale,
            along: String::new(),
            series: vec![series],
            level: None,
            note: String::new(),
        };
        lines.figure()
    }

    /// One point, equal points and values that cannot be drawn are no trouble.
    #[test]
    fn odd_curves_are_drawn_within_the_picture() {
        let curves: [&[(f64, f64)]; 4] = [
            &[(0.0, 1.0)],
            &[(0.0, 2.0), (1.0, 2.0)],
            &[(0.0, f64::NAN), (1.0, 3.0), (2.0, 0.0)],
            &[(0.0, 1e300), (1.0, -1e300)],
        ];
        for points in curves {
            for scale in [Up::Around, Up::FromZero, Up::Logarithmic] {
                let drawing = lines(points, scale).unwrap().drawing;
                assert!(drawing.contains("polyline"), "{drawing}");
                assert!(
                    !drawing.contains("NaN") && !drawing.contains("inf"),
                    "{drawing}"
                );
            }
        }
        assert!(lines(&[], Up::Around).is_none());
        assert!(lines(&[(0.0, f64::NAN)], Up::Around).is_none());
    }

    /// Many points become as many as a screen shows, the last one among them.
    #[test]
    fn many_points_are_thinned() {
        let many: Vec<_> = (0..30_000).map(|k| (f64::from(k), f64::from(k))).collect();
        let drawing = lines(&many, Up::FromZero).unwrap().drawing;
        assert!(drawing.len() < 20_000, "{}", drawing.len());
        assert!(drawing.contains("1000.0,47.6"), "the last point");
    }
}
