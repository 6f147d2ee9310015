//! Readers, partitions and generators of training data.
