//! The load generator: runs the clients of a plan and reports what they
//! measured. Also contains a server with known faults, to test it.

mod connection;
pub(crate) mod counters;
pub(crate) mod engine;
pub(crate) mod faulty;
mod group_share;
#[cfg(test)]
mod hostile;
pub(crate) mod machine_clocks;
pub(crate) mod process_tree;
mod resources;
mod schedule;
mod sockets;
mod tally;
#[cfg(test)]
mod tests;
mod worker;
