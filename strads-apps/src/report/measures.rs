//! Convergence: which fields of an app's events are worth a figure, and the figures.
//!
//! Apps say how they stand in events and in finer steps that only the report keeps; every one has
//! `seconds`, and `updates` where the app counts them. What is drawn follows from which fields are
//! there, so that a new app gets its figures by using the names that others use.

use serde_json::Value;

use super::lines::{Lines, Series, Up};
use super::scale::time_unit;

/// Something that an app measures as it goes on.
struct Measure {
    title: &'static str,
    up: &'static str,
    scale: Up,
    /// Fields of events and what their curves are called.
    fields: &'static [(&'static str, &'static str)],
}

/// All that is known, in the order in which it is drawn.
const MEASURES: &[Measure] = &[
    Measure {
        title: "Objective",
        up: "objective",
        scale: Up::Around,
        fields: &[
            ("primal", "objective"),
            ("objective", "objective"),
            ("loss", "loss met on the way"),
            ("train_loss", "train"),
            ("test_loss", "test"),
        ],
    },
    Measure {
        title: "Proven distance to the optimum",
        up: "duality gap / null model's objective",
        scale: Up::Logarithmic,
        fields: &[("relative_gap", "gap")],
    },
    Measure {
        title: "Features selected",
        up: "coefficients that are not 0",
        scale: Up::FromZero,
        fields: &[("nonzeros", "selected")],
    },
    Measure {
        title: "Log-likelihood",
        up: "log-likelihood a token",
        scale: Up::Around,
        fields: &[
            ("log_likelihood_per_token", "predictive"),
            ("heldout_log_likelihood_per_token", "held out"),
        ],
    },
    Measure {
        title: "Error",
        up: "RMSE",
        scale: Up::Around,
        fields: &[
            ("train_rmse", "train"),
            ("validation_rmse", "validation"),
            ("test_rmse", "test"),
        ],
    },
    Measure {
        title: "Accuracy",
        up: "share classified rightly",
        scale: Up::Around,
        fields: &[
            ("accuracy", "train"),
            ("train_accuracy", "train"),
            ("test_accuracy", "test"),
        ],
    },
    Measure {
        title: "Staleness",
        up: "how far copies of totals are off, share of all",
        scale: Up::FromZero,
        fields: &[("drift", "drift"), ("staleness", "staleness")],
    },
    Measure {
        title: "Clocks behind",
        up: "clocks of others that were missing when a step began",
        scale: Up::FromZero,
        fields: &[("clocks_behind", "mean of all steps")],
    },
    Measure {
        title: "Bytes between workers",
        up: "bytes since the beginning",
        scale: Up::FromZero,
        fields: &[
            ("bytes_factors", "factors"),
            ("bytes_sparse", "sparse"),
            ("bytes_full", "full"),
        ],
    },
];

/// Figures of all that `events` measure, over time and then over updates of `unit`.
pub fn figures(events: &[Value], unit: &str) -> Vec<[Option<Lines>; 2]> {
    let longest = events.iter().filter_map(|event| event["seconds"].as_f64());
    let (time, factor) = time_unit(longest.fold(0.0, f64::max));
    MEASURES
        .iter()
        .filter(|measure| {
            measure
                .fields
                .iter()
                .any(|(field, _)| is_measured(events, field))
        })
        .map(|measure| {
            let seconds = |event: &Value| Some(event["seconds"].as_f64()? * factor);
            let updates = |event: &Value| event["updates"].as_f64();
            let counted = events.iter().any(|event| updates(event).is_some());
            let over_time = measure.lines(events, format!("{time} of training"), seconds);
            let over_updates = || measure.lines(events, unit.to_owned(), updates);
            [Some(over_time), counted.then(over_updates)]
        })
        .collect()
}

fn is_measured(events: &[Value], field: &str) -> bool {
    events.iter().any(|event| event[field].is_number())
}

impl Measure {
    fn lines(&self, events: &[Value], along: String, at: impl Fn(&Value) -> Option<f64>) -> Lines {
        let fields = self
            .fields
            .iter()
            .filter(|(field, _)| is_measured(events, field));
        let series = fields.map(|(field, name)| Series {
            name: (*name).to_owned(),
            points: events
                .iter()
                .filter_map(|event| Some((at(event)?, event[*field].as_f64()?)))
                .collect(),
        });
        Lines {
            title: self.title.to_owned(),
            up: self.up.to_owned(),
            scale: self.scale,
            series: series.collect(),
            along,
            level: None,
            note: String::new(),
        }
    }
}
