//! Which form of update over which route moves the fewest bytes.
//!
//! What counts is the busiest wire of a step: that of a worker, or of a server. A message takes a
//! while even if it is empty; on its way it costs as much as [`HOP_BYTES`] that the wire could
//! have carried. Pure arithmetic: everybody who knows the shape decides the same.

use super::Topology;
use std::fmt;

/// What a wire carries in the time that one message takes to the next worker, about: 0.2 ms at
/// 100 Mbit/s.
pub const HOP_BYTES: f64 = 2048.0;

/// A matrix of parameters, and what a step makes of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shape {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// Workers.
    pub workers: usize,
    /// Factor pairs that a worker makes in a step: its part of the batch.
    pub batch: usize,
    /// Which share of the rows an example touches; 1 where data are dense.
    pub density: f64,
}

/// What an update is sent as.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Form {
    /// The whole matrix.
    Full,
    /// The rows that the batch touches.
    Rows,
    /// A pair of factors for each example.
    Factors,
}

/// How updates get to everybody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Route {
    /// Tables on so many servers.
    Servers(usize),
    /// Broadcast over a topology.
    Broadcast(Topology),
    /// Sums that go round.
    AllReduce,
}

/// A form, a route, and what they cost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Choice {
    /// What is sent.
    pub form: Form,
    /// How.
    pub route: Route,
    /// Bytes over the busiest wire in one direction, in a step.
    pub bytes: f64,
    /// Links that follow each other on the longest way.
    pub hops: usize,
}

impl Choice {
    /// What is to be small.
    pub fn cost(&self) -> f64 {
        self.bytes + self.hops as f64 * HOP_BYTES
    }
}

impl Shape {
    /// What a form over a route costs, where that is possible.
    pub fn cost(&self, form: Form, route: Route) -> Option<Choice> {
        let workers = self.workers as f64;
        let (bytes, hops) = match (form, route) {
            // A server's table is what travels back; it takes in rows, not factors.
            (Form::Factors, Route::Servers(_)) => return None,
            (_, Route::Servers(servers)) => {
                let (up, down) = (self.content(form), self.answer(form));
                let of_server = workers * up.max(down) / servers.max(1) as f64;
                (of_server.max(up).max(down), 2)
            }
            (_, Route::Broadcast(topology)) => {
                let hops = match topology {
                    Topology::Mesh => 1.min(self.workers - 1),
                    Topology::Halton => self.workers.next_power_of_two().trailing_zeros() as usize,
                    Topology::Ring => self.workers - 1,
                };
                ((workers - 1.0) * self.content(form), hops)
            }
            (Form::Full, Route::AllReduce) => {
                let share = 2.0 * (workers - 1.0) / workers;
                (share * self.content(form), 2 * (self.workers - 1))
            }
            (_, Route::AllReduce) => return None,
        };
        Some(Choice {
            form,
            route,
            bytes,
            hops,
        })
    }

    /// The cheapest of what is `possible`, the first of equals; a broadcast of factors if nothing
    /// is.
    pub fn choose(&self, possible: &[(Form, Route)]) -> Choice {
        let choices = possible
            .iter()
            .filter_map(|&(form, route)| self.cost(form, route));
        let cheapest = choices.min_by(|a, b| a.cost().total_cmp(&b.cost()));
        let fallback = (Form::Factors, Route::Broadcast(self.broadcast()));
        cheapest.unwrap_or_else(|| {
            self.cost(fallback.0, fallback.1)
                .expect("factors can be broadcast")
        })
    }

    /// The topology for broadcasts: the mesh has the shortest ways, and Halton is for where the
    /// mesh has more links.
    pub fn broadcast(&self) -> Topology {
        let levels = self.workers.next_power_of_two().trailing_zeros() as usize;
        match self.workers <= 2 * levels + 1 {
            true => Topology::Mesh,
            false => Topology::Halton,
        }
    }

    /// Whether the factors of an example are shorter with the rows named that it touches.
    pub fn names_rows(&self) -> bool {
        self.density < 0.5
    }

    /// Bytes of a worker's update.
    pub fn content(&self, form: Form) -> f64 {
        let (rows, columns, batch) = (self.rows as f64, self.columns as f64, self.batch as f64);
        4.0 * match form {
            Form::Full => rows * columns,
            Form::Rows => self.touched(batch) * (columns + 1.0),
            Form::Factors if self.names_rows() => {
                batch * (2.0 * rows * self.density + columns + 1.0)
            }
            Form::Factors => batch * (rows + columns),
        }
    }

    /// Bytes of what a server has to send back to one worker.
    fn answer(&self, form: Form) -> f64 {
        let all = (self.batch * self.workers) as f64;
        match form {
            Form::Rows => 4.0 * self.touched(all) * (self.columns as f64 + 1.0),
            _ => self.content(Form::Full),
        }
    }

    /// Rows that `examples` touch, as expected where they touch them independently.
    fn touched(&self, examples: f64) -> f64 {
        self.rows as f64 * (1.0 - (1.0 - self.density).powf(examples))
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Full => "full",
            Form::Rows => "sparse",
            Form::Factors => "factors",
        })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Route::Servers(_) => f.write_str("server"),
            Route::Broadcast(topology) => topology.fmt(f),
            Route::AllReduce => f.write_str("all-reduce"),
        }
    }
}

#[cfg(test)]
mod tests {
    //! The figures are those that can be counted by hand, and the choice is the smallest of them.
    use super::*;

    const ALL: [(Form, Route); 6] = [
        (Form::Factors, Route::Broadcast(Topology::Mesh)),
        (Form::Factors, Route::Broadcast(Topology::Halton)),
        (Form::Rows, Route::Broadcast(Topology::Mesh)),
        (Form::Full, Route::Broadcast(Topology::Mesh)),
        (Form::Full, Route::AllReduce),
        (Form::Full, Route::Servers(1)),
    ];

    fn shape(rows: usize, columns: usize, workers: usize, batch: usize) -> Shape {
        Shape {
            rows,
            columns,
            workers,
            batch,
            density: 1.0,
        }
    }

    #[test]
    fn bytes_are_counted() {
        let shape = shape(4096, 4096, 8, 32);
        let bytes = |form, route| shape.cost(form, route).unwrap().bytes;
        let factors = bytes(Form::Factors, Route::Broadcast(Topology::Mesh));
        assert_eq!(factors, 7.0 * 32.0 * 8192.0 * 4.0);
        let full = bytes(Form::Full, Route::Broadcast(Topology::Mesh));
        assert_eq!(full / factors, 64.0);
        assert_eq!(
            bytes(Form::Full, Route::AllReduce),
            2.0 * 7.0 / 8.0 * 4096.0 * 4096.0 * 4.0
        );
        assert_eq!(
            bytes(Form::Full, Route::Servers(2)),
            4.0 * 4096.0 * 4096.0 * 4.0
        );
        assert_eq!(shape.cost(Form::Factors, Route::AllReduce), None);
    }

    #[test]
    fn the_choice_follows_the_batch() {
        let choice = |batch| shape(2000, 500, 4, batch).choose(&ALL);
        assert_eq!(choice(16).form, Form::Factors);
        assert_eq!(choice(16).route, Route::Broadcast(Topology::Mesh));
        assert_eq!(
            (choice(4000).form, choice(4000).route),
            (Form::Full, Route::AllReduce)
        );
        // The change comes where the bytes are equal.
        let equal = 2.0 / 4.0 * 2000.0 * 500.0 / 2500.0;
        assert_eq!(choice(equal as usize - 1).form, Form::Factors);
        assert_eq!(choice(equal as usize + 3).form, Form::Full);
    }

    #[test]
    fn sparse_data_name_what_they_touch() {
        let sparse = Shape {
            density: 1e-3,
            ..shape(100_000, 20, 4, 1000)
        };
        assert_eq!(sparse.choose(&ALL).form, Form::Factors);
        let frequent = Shape {
            density: 0.01,
            ..shape(1000, 20, 4, 10_000)
        };
        assert_eq!(frequent.choose(&ALL).form, Form::Full);
    }

    #[test]
    fn large_jobs_broadcast_over_halton() {
        assert_eq!(shape(10, 10, 4, 1).broadcast(), Topology::Mesh);
        assert_eq!(shape(10, 10, 64, 1).broadcast(), Topology::Halton);
    }
}
