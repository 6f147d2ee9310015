//! What is said in the course of a training, as JSON events.

use serde::Serialize;

use strads_common::lags::Lags;

use super::program::Certificate;

/// Before the first step.
#[derive(Serialize)]
pub struct Started {
    /// Examples.
    pub rows: usize,
    /// Features.
    pub features: usize,
    /// Classes.
    pub classes: usize,
    /// Workers, in all processes.
    pub workers: usize,
    /// Threads of this process.
    pub threads: usize,
    /// Steps of the whole training.
    pub steps: usize,
    /// Seconds of reading.
    pub seconds_read: f64,
}

/// After an epoch.
#[derive(Serialize)]
pub struct Progress {
    /// Since training began.
    pub seconds: f64,
    /// Epochs that are over.
    pub epoch: u64,
    /// Examples learnt from so far.
    pub updates: u64,
    /// The mean loss of the examples, each as it was when it was learnt from.
    pub loss: f64,
    /// How many clocks of others were missing when a step began, in the mean, where some may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks_behind: Option<f64>,
    /// What workers have sent each other so far, as pairs of vectors, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_factors: Option<u64>,
    /// The same, as rows of the matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_sparse: Option<u64>,
    /// The same, as whole matrices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_full: Option<u64>,
    /// sdca: how far the minimum is at most.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// At the end.
#[derive(Serialize)]
pub struct Finished {
    /// Seconds of reading.
    pub seconds_read: f64,
    /// Seconds of training.
    pub seconds_train: f64,
    /// Seconds of writing.
    pub seconds_write: f64,
    /// The mean loss of all examples, without the penalty.
    pub train_loss: f64,
    /// The share of examples whose class is the likeliest one.
    pub train_accuracy: f64,
    /// Steps done in this run.
    pub steps: usize,
    /// Seconds of training for each of them.
    pub seconds_per_step: f64,
    /// The greatest difference between replicas before they were made equal; 0 if they were.
    pub replicas_apart: f32,
    /// How many steps began with 0, 1, … clocks of others missing, where there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_by_clocks_behind: Option<Lags>,
    /// What workers put on wires, in bytes, where there are any: all of them, or the one of this
    /// process.
    pub sent_bytes: Option<u64>,
    /// sdca: how far the minimum is at most.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}
