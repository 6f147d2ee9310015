//! The first sweeps: words are smoothed more than β says, less and less.
//!
//! From a random start topics have to part. Under a small β a word clings to the topic in which it has most
//! of its tokens by chance, and its neighbours have to come over one by one. Under a large one it goes where
//! its documents are. So the first sweep has V·β = N/K, as much smoothing as a topic has tokens; β then falls,
//! by the same factor each sweep, and from its own value on sampling is what it would be without. What
//! is measured, is measured with β itself.

use super::exact::Prior;
use super::sampler::Sampler;

/// How β falls to its value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Annealing {
    /// β of the first sweep.
    pub from: f32,
    /// How many sweeps are smoothed more; 0 is no annealing.
    pub sweeps: u64,
}

impl Annealing {
    /// For so many tokens of so many kinds of words.
    pub fn new(tokens: u64, words: usize, topics: usize, sweeps: u64) -> Self {
        let from = tokens as f64 / (topics as f64 * words as f64);
        Self {
            from: from as f32,
            sweeps,
        }
    }

    /// How many sweeps are enough: moves go about half as far as exact sweeps.
    pub fn sweeps_of(sampler: Sampler) -> u64 {
        match sampler {
            Sampler::Exact => 40,
            Sampler::Mh => 80,
        }
    }

    /// What a sweep goes by, counted from 0.
    pub fn prior(&self, prior: Prior, sweep: u64) -> Prior {
        if sweep >= self.sweeps || self.from <= prior.beta {
            return prior;
        }
        let left = 1.0 - sweep as f32 / self.sweeps as f32;
        Prior {
            beta: prior.beta * (self.from / prior.beta).powf(left),
            ..prior
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// β begins where topics have as much smoothing as tokens, falls every sweep, and ends at its value;
    /// a β that is larger than that is left alone.
    #[test]
    fn beta_falls_to_its_value() {
        let prior = |beta| Prior {
            alpha: 0.5,
            beta,
            words: 200,
        };
        let annealing = Annealing::new(10_000, 200, 10, 40);
        let betas: Vec<f32> = (0..50)
            .map(|sweep| annealing.prior(prior(0.01), sweep).beta)
            .collect();
        assert!((betas[0] - 5.0).abs() < 1e-4, "{}", betas[0]);
        assert!(betas[..41].is_sorted_by(|a, b| a > b), "{betas:?}");
        assert!(betas[40..].iter().all(|&beta| beta == 0.01));
        assert_eq!(annealing.prior(prior(6.0), 0), prior(6.0));
        assert_eq!(Annealing::default().prior(prior(0.01), 0), prior(0.01));
    }
}
