//! Face steps: moving a whole support at once.
//!
//! With the signs of the non-zero coefficients fixed, the objective is a quadratic. A step goes
//! some iterations of conjugate gradients towards its minimiser. If a coefficient would change its
//! sign on the way it stops at zero, and the step is shortened until the objective falls. Where
//! coordinate descent creeps or spirals along correlated columns, a few such steps arrive.
//!
//! What is here only decides. Products with the design are asked for and given: an iteration is
//! one [`Face::lead`] with X c, and one [`Face::follow`] with Xᵀ X c.

use std::sync::Arc;

use super::penalty::Penalty;
use super::portions::Portions;

/// Iterations end when the gradient on the face has shrunk to this share.
const CLOSE_ENOUGH: f64 = 1e-4;
/// A step is halved this often before it is refused.
const HALVINGS: usize = 8;

/// A face and the way towards its minimiser, so far. Vectors are in the order of the columns.
#[derive(Debug)]
pub(super) struct Face {
    /// The support.
    pub columns: Portions,
    penalty: Penalty,
    beta: Vec<f64>,
    /// Of each column, 1 over the curvature along it.
    scale: Vec<f64>,
    /// The objective's negative gradient.
    gradient: Vec<f64>,
    way: Vec<f64>,
    /// X times the way.
    moved: Vec<f64>,
    conjugate: Vec<f64>,
    /// X times the conjugate direction.
    image: Arc<Vec<f64>>,
    /// The squared length of the gradient, scaled; and what it has to fall to.
    size: f64,
    goal: f64,
    /// How many iterations are left.
    left: usize,
}

impl Face {
    /// The face of `beta`, where the loss's negative gradient is `correlations`, and `squares` are
    /// ‖x̃‖²/n.
    pub fn new(
        columns: Portions,
        beta: Vec<f64>,
        correlations: Vec<f64>,
        squares: impl Iterator<Item = f64>,
        penalty: Penalty,
        iterations: usize,
    ) -> Self {
        let scale: Vec<f64> = squares.map(|square| 1.0 / (square + penalty.l2)).collect();
        let mut gradient = correlations;
        for (g, beta) in gradient.iter_mut().zip(&beta) {
            *g -= penalty.l1 * beta.signum();
        }
        let conjugate: Vec<f64> = gradient.iter().zip(&scale).map(|(g, s)| g * s).collect();
        let size = gradient.iter().zip(&conjugate).map(|(g, c)| g * c).sum();
        Self {
            columns,
            penalty,
            way: vec![0.0; beta.len()],
            moved: Vec::new(),
            beta,
            scale,
            gradient,
            conjugate,
            image: Arc::default(),
            size,
            goal: CLOSE_ENOUGH * CLOSE_ENOUGH * size,
            left: iterations,
        }
    }

    /// True while another iteration is worth it.
    pub fn goes_on(&self) -> bool {
        self.left > 0 && self.size > self.goal
    }

    /// The direction whose image is wanted.
    pub fn direction(&self) -> &[f64] {
        &self.conjugate
    }

    /// Takes the image of the direction.
    pub fn lead(mut self, image: Vec<f64>) -> Self {
        self.image = Arc::new(image);
        self
    }

    /// The image, whose products with the columns are wanted.
    pub fn image(&self) -> &Arc<Vec<f64>> {
        &self.image
    }

    /// Goes along the direction, and finds the next one. False if the way ends here.
    pub fn follow(&mut self, products: &[f64]) -> bool {
        let rows = self.image.len() as f64;
        let Penalty { l2, .. } = self.penalty;
        let ridge: f64 = self.conjugate.iter().map(|c| c * c).sum();
        let square: f64 = self.image.iter().map(|v| v * v).sum();
        let curvature = square / rows + l2 * ridge;
        if curvature <= 0.0 {
            return false;
        }
        let length = self.size / curvature;
        self.moved.resize(self.image.len(), 0.0);
        for (moved, image) in self.moved.iter_mut().zip(self.image.iter()) {
            *moved += length * image;
        }
        for (at, product) in products.iter().enumerate() {
            self.way[at] += length * self.conjugate[at];
            self.gradient[at] -= length * (product / rows + l2 * self.conjugate[at]);
        }
        let before = self.size;
        let sizes = self.gradient.iter().zip(&self.scale);
        self.size = sizes.map(|(g, s)| g * g * s).sum();
        for ((c, g), s) in (self.conjugate.iter_mut().zip(&self.gradient)).zip(&self.scale) {
            *c = g * s + self.size / before * *c;
        }
        self.left -= 1;
        self.goes_on()
    }

    /// The step along the way.
    pub fn stride(self) -> Stride {
        Stride::new(self.columns, self.beta, self.way, self.moved)
    }
}

/// A step along a face, or along a path, as long as the objective allows.
#[derive(Debug)]
pub(super) struct Stride {
    /// What moves.
    pub columns: Portions,
    beta: Vec<f64>,
    /// The sign that each coefficient keeps, or zero for one that stays zero.
    signs: Vec<f64>,
    way: Vec<f64>,
    /// X times the way, where it is known.
    moved: Option<Vec<f64>>,
    length: f64,
    halvings: usize,
}

impl Stride {
    /// The whole step of `columns` from `beta` along `way`, of which `moved` is the image. What is
    /// zero stays zero.
    pub fn new(columns: Portions, beta: Vec<f64>, way: Vec<f64>, moved: Vec<f64>) -> Self {
        let sign = |&beta: &f64| if beta == 0.0 { 0.0 } else { beta.signum() };
        let signs = beta.iter().map(sign).collect();
        Self {
            columns,
            beta,
            signs,
            way,
            moved: Some(moved),
            length: 1.0,
            halvings: 0,
        }
    }

    /// As [`Self::new`], of a way whose image is not known; what is zero leaves it.
    pub fn direct(columns: Portions, beta: Vec<f64>, way: Vec<f64>) -> Self {
        let sign = |(&beta, way): (&f64, &f64)| if beta == 0.0 { *way } else { beta }.signum();
        let signs = beta.iter().zip(&way).map(sign).collect();
        Self {
            signs,
            moved: None,
            ..Self::new(columns, beta, way, Vec::new())
        }
    }

    /// The coefficients that it sets out from.
    pub fn start(&self) -> &[f64] {
        &self.beta
    }

    /// True if the image of the way is not known.
    pub fn is_direct(&self) -> bool {
        self.moved.is_none()
    }

    /// True if no coefficient would change its sign, and the image is known.
    pub fn is_whole(&self) -> bool {
        let keeps = |(there, &sign): (f64, &f64)| there * sign > 0.0;
        self.moved.is_some() && self.length == 1.0 && self.straight().zip(&self.signs).all(keeps)
    }

    fn straight(&self) -> impl Iterator<Item = f64> + Clone {
        let way = self.beta.iter().zip(&self.way);
        way.map(|(beta, way)| beta + self.length * way)
    }

    /// Where the coefficients go: those that would change their sign stop at zero.
    pub fn beta(&self) -> impl Iterator<Item = f64> + Clone {
        let signs = self.straight().zip(&self.signs);
        signs.map(|(there, sign)| if there * sign > 0.0 { there } else { 0.0 })
    }

    /// How far from where the known image leads each coefficient ends.
    pub fn corrections(&self) -> Vec<f64> {
        let there = self.beta();
        match self.moved {
            Some(_) => there
                .zip(self.straight())
                .map(|(there, straight)| there - straight)
                .collect(),
            None => there
                .zip(&self.beta)
                .map(|(there, beta)| there - beta)
                .collect(),
        }
    }

    /// The residual after the step from `residual`, given the image of the corrections.
    pub fn residual(&self, residual: &[f64], corrections: &[f64]) -> Vec<f64> {
        let mut after = residual.to_vec();
        for (after, moved) in after.iter_mut().zip(self.moved.iter().flatten()) {
            *after -= self.length * moved;
        }
        for (after, correction) in after.iter_mut().zip(corrections) {
            *after -= correction;
        }
        after
    }

    /// Half the step; nothing if that has been tried often enough.
    pub fn halved(self) -> Option<Self> {
        (self.halvings < HALVINGS).then_some(Self {
            length: 0.5 * self.length,
            halvings: self.halvings + 1,
            ..self
        })
    }
}
