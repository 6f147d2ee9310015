//! The first sweeps: words are smoothed more than β says, less and less.
//!
//! From a random start topics have to part. Under a small β a word clings to the topic in which it has most
//! of its tokens by chance, and its neighbours have to come over one by one. Under a large one it goes where
//! its documents are. So the first sweep has V·β = N/K, as much smoothing as a topic has tokens; β then falls,
//! by the same factor each sweep, and from its own value on sampling is what it would be without.
//!
//! Where documents hardly tell topics apart, nothing parts until β is small, and annealing would only take
//! time. Whether it does is seen early, by how much of a word comes together in a topic; if it does not, β has
//! its value from there on.

use super::exact::Prior;
use super::sampler::Sampler;

/// How β falls to its value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Annealing {
    /// β of the first sweep.
    from: f32,
    /// How many sweeps are smoothed more; 0 is no annealing.
    sweeps: u64,
    /// How far words had come together after the first sweep.
    first: f64,
}

/// Topics part if words have come together by this factor from the first sweep to the trial. Those of 20
/// Newsgroups have by 1.23 with 50 topics, 1.37 with 100 and 1.78 with 1,000; those of generated corpora, where
/// annealing does not pay, by 1.05 to 1.13.
const PARTING: f64 = 1.17;

impl Annealing {
    /// For so many tokens of so many kinds of words.
    pub fn new(tokens: u64, words: usize, topics: usize, sweeps: u64) -> Self {
        let from = tokens as f64 / (topics as f64 * words as f64);
        Self {
            from: from as f32,
            sweeps,
            first: 0.0,
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
        if self.is_over(sweep) || self.from <= prior.beta {
            return prior;
        }
        let left = 1.0 - sweep as f32 / self.sweeps as f32;
        Prior {
            beta: prior.beta * (self.from / prior.beta).powf(left),
            ..prior
        }
    }

    /// β has its value from this sweep on.
    pub fn is_over(&self, sweep: u64) -> bool {
        sweep >= self.sweeps
    }

    /// After this sweep it is asked how far words have come together.
    pub fn asks(&self, sweep: u64) -> bool {
        self.trial()
            .is_some_and(|trial| sweep == 0 || sweep + 1 == trial)
    }

    /// So far they have, after this sweep.
    pub fn learn(&mut self, sweep: u64, together: f64) {
        if sweep == 0 {
            self.first = together;
        } else if together < PARTING * self.first {
            self.sweeps = sweep + 1;
        }
    }

    /// After how many sweeps it is seen whether topics part. Few sweeps are not worth asking.
    fn trial(&self) -> Option<u64> {
        let trial = self.sweeps / 12;
        (trial > 1).then_some(trial)
    }
}

strads::travel_by_fields!(Annealing {
    from,
    sweeps,
    first
});

#[cfg(test)]
mod tests {
    use super::*;

    fn prior(beta: f32) -> Prior {
        Prior {
            alpha: 0.5,
            beta,
            words: 200,
        }
    }

    /// β begins where topics have as much smoothing as tokens, falls every sweep, and ends at its value;
    /// a β that is larger than that is left alone.
    #[test]
    fn beta_falls_to_its_value() {
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

    /// It goes on if topics part by the trial, and is over there and then if they do not; few sweeps
    /// are not asked about.
    #[test]
    fn it_ends_early_where_nothing_parts() {
        for (later, over) in [(12.0, false), (11.0, true)] {
            let mut annealing = Annealing::new(10_000, 200, 10, 40);
            let asked: Vec<u64> = (0..50).filter(|&sweep| annealing.asks(sweep)).collect();
            assert_eq!(asked, [0, 2]);
            annealing.learn(0, 10.0);
            annealing.learn(2, later);
            assert_eq!(annealing.is_over(3), over);
            assert!((3..60).all(|sweep| !over || !annealing.asks(sweep)));
        }
        assert!(!Annealing::new(10_000, 200, 10, 15).asks(0));
        assert!(!Annealing::default().asks(0));
    }
}
