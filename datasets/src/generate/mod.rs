//! Seeded data: the same options give the same bytes on every machine.
//!
//! Every block of rows or columns has a random stream of its own, so blocks are generated on all
//! cores and the number of cores does not show. Logarithms and the like come from `libm`, which is
//! software: those of the platform differ in last bits.

pub mod regression;
mod sample;
