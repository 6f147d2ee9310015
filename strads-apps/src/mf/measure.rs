//! Measuring: the errors that factors make on the ratings of one cell.

use pulp::{Arch, Simd, WithSimd};

use super::cells::{Cell, Run};
use super::descend::dots;
use super::rows::Rows;

/// What was seen of the errors of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// How many ratings.
    pub count: u64,
    /// Σ e².
    pub squared: f64,
    /// Σ |e|.
    pub absolute: f64,
}

impl Errors {
    /// √(Σ e² / count); not a number without ratings.
    pub fn rmse(&self) -> f64 {
        (self.squared / self.count as f64).sqrt()
    }

    /// Σ |e| / count; not a number without ratings.
    pub fn mae(&self) -> f64 {
        self.absolute / self.count as f64
    }

    /// The errors on ratings that are `scale` times as large.
    pub fn scaled(self, scale: f64) -> Self {
        Self {
            count: self.count,
            squared: self.squared * scale * scale,
            absolute: self.absolute * scale,
        }
    }
}

impl std::ops::AddAssign for Errors {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.squared += other.squared;
        self.absolute += other.absolute;
    }
}

/// The errors of `cell`.
pub fn measure(users: &Rows, items: &Rows, cell: &Cell) -> Errors {
    Arch::new().dispatch(Measure { users, items, cell })
}

struct Measure<'a> {
    users: &'a Rows,
    items: &'a Rows,
    cell: &'a Cell,
}

impl WithSimd for Measure<'_> {
    type Output = Errors;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Errors {
        let vectors = self.users.stride() / S::F32_LANES;
        let (p_all, q_all) = (
            S::as_simd_f32s(self.users.entries()).0,
            S::as_simd_f32s(self.items.entries()).0,
        );
        let mut errors = Errors::default();
        for (Run { user, len }, ids, values) in self.cell.runs() {
            let at = *user as usize;
            let p = &p_all[at * vectors..][..vectors];
            let bias = self.users.aside(at).bias;
            let (mut squared, mut absolute) = (0.0_f32, 0.0_f32);
            for (&id, value) in ids.iter().zip(values) {
                let item = usize::from(id);
                let [dot] = dots(simd, p, q_all, vectors, &[item * vectors]);
                let e = value - bias - self.items.aside(item).bias - dot;
                squared += e * e;
                absolute += e.abs();
            }
            errors += Errors {
                count: u64::from(*len),
                squared: f64::from(squared),
                absolute: f64::from(absolute),
            };
        }
        errors
    }
}

strads::travel_by_fields!(Errors {
    count,
    squared,
    absolute
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors are those of the definition, rating by rating.
    #[test]
    fn errors_follow_the_definition() {
        let (mut users, mut items) = (Rows::zeros(2, 3), Rows::zeros(2, 3));
        users.row_mut(1).copy_from_slice(&[1.0, 2.0, 3.0]);
        items.row_mut(0).copy_from_slice(&[0.5, 0.0, -1.0]);
        users.aside_mut(1).bias = 0.25;
        items.aside_mut(1).bias = -1.0;
        let mut filling = Cell::shaped(&[0, 2]);
        filling.add(1, 0, 1.0);
        filling.add(1, 1, 2.0);
        let errors = measure(&users, &items, &filling.finish());
        let expected = [1.0 - 0.25 + 2.5, 2.0 - 0.25 + 1.0_f64];
        assert_eq!(errors.count, 2);
        assert!((errors.squared - expected.iter().map(|e| e * e).sum::<f64>()).abs() < 1e-6);
        assert!((errors.absolute - expected.iter().sum::<f64>()).abs() < 1e-6);
    }
}
