//! A figure: a drawing between axes, as HTML.
//!
//! The drawing is an SVG that stretches with the page, and all text is HTML beside it, so that a
//! telephone shows the same figure with letters of the same size. Colours are classes, which the
//! page's style gives values for light, dark and paper; no plotting crate writes such drawings,
//! which is why they are written here.

use std::fmt::Write;

use super::scale::Scale;

/// The sides of a drawing, in its own units.
pub const SIDE: f64 = 1000.0;

/// How many bars a drawing has at most.
pub const BARS: usize = 64;

/// What is around a drawing.
pub struct Figure {
    /// What is shown.
    pub title: String,
    /// What the vertical axis has.
    pub up: String,
    /// What the horizontal axis has.
    pub along: String,
    /// Ticks of the vertical axis: from 0 at the bottom to 1, and what is written there.
    pub left: Vec<(f64, String)>,
    /// Ticks of the horizontal axis, from 0 at the left to 1.
    pub below: Vec<(f64, String)>,
    /// Classes of colours, and what they stand for.
    pub legend: Vec<(String, String)>,
    /// What a reader should know of the figure.
    pub note: String,
    /// The SVG's content.
    pub drawing: String,
}

impl Figure {
    /// The figure as HTML; `wide` takes a row of the page by itself.
    pub fn html(&self, wide: bool) -> String {
        let mut html = format!(
            "<figure class=\"{}\"><figcaption><b>{}</b>",
            if wide { "wide" } else { "narrow" },
            escape(&self.title)
        );
        if !self.legend.is_empty() {
            html += "<span class=\"legend\">";
            for (class, name) in &self.legend {
                let _ = write!(
                    html,
                    "<span><i class=\"{class}\"></i>{}</span>",
                    escape(name)
                );
            }
            html += "</span>";
        }
        let _ = write!(
            html,
            "</figcaption><div class=\"up\">{}</div><div class=\"plot\">\
             <svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
            escape(&self.up),
            escape(&format!("{}: {} by {}", self.title, self.up, self.along)),
        );
        for (at, _) in &self.left {
            let y = SIDE * (1.0 - at);
            let _ = write!(html, "<path class=\"grid\" d=\"M0 {y:.0}h{SIDE}\"/>");
        }
        html += &self.drawing;
        html += "</svg>";
        for (at, text) in &self.left {
            let _ = write!(
                html,
                "<span class=\"left\" style=\"bottom:{:.2}%\">{}</span>",
                100.0 * at,
                escape(text)
            );
        }
        for (at, text) in &self.below {
            let _ = write!(
                html,
                "<span class=\"below\" style=\"left:{:.2}%\">{}</span>",
                100.0 * at,
                escape(text)
            );
        }
        let _ = write!(
            html,
            "</div><div class=\"along\">{}</div>",
            escape(&self.along)
        );
        if !self.note.is_empty() {
            let _ = write!(html, "<p class=\"note\">{}</p>", escape(&self.note));
        }
        html + "</figure>\n"
    }
}

/// Ticks of `scale` by their places.
pub fn ticks(scale: &Scale, count: usize) -> Vec<(f64, String)> {
    let placed = |(value, text)| Some((scale.place(value)?, text));
    scale.ticks(count).into_iter().filter_map(placed).collect()
}

/// A bar for each of `heights`, from 0 to 1.
pub fn bars(heights: &[f64]) -> String {
    let width = SIDE / heights.len() as f64;
    let mut drawing = "<path class=\"cell bar\" d=\"".to_owned();
    for (bar, height) in heights.iter().enumerate() {
        let (x, top) = ((bar as f64 + 0.12) * width, SIDE * (1.0 - height));
        let wide = 0.76 * width;
        let _ = write!(drawing, "M{x:.1} {top:.1}h{wide:.1}V{SIDE}h-{wide:.1}z");
    }
    drawing + "\"/>"
}

/// What some of `bars` bars stand for, by their places: `each` numbers, counted from 0.
pub fn names(bars: usize, each: usize) -> Vec<(f64, String)> {
    let name = |bar: usize| {
        let middle = (bar as f64 + 0.5) / bars as f64;
        (middle, (bar * each).to_string())
    };
    (0..bars)
        .step_by(bars.div_ceil(8).max(1))
        .map(name)
        .collect()
}

/// `text` as HTML shows it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
