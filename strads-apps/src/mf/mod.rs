//! Matrix factorisation: ratings as the product of a row for each user and one for each item.

mod blocks;
mod cells;
mod descend;
mod grid;
mod measure;
mod rows;
mod sgd;
