//! Model-parallel programs: schedule, push, pull.
