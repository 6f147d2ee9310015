//! Tests of strads as a whole: through the public API and the binary.
