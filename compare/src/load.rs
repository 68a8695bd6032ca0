//! The load generator: runs the clients of a plan and reports what they
//! measured. Also contains a server with known faults, to test it.

pub(crate) mod connection;
pub(crate) mod engine;
pub(crate) mod faulty;
pub(crate) mod group_share;
pub(crate) mod process_tree;
pub(crate) mod resources;
pub(crate) mod schedule;
pub(crate) mod sockets;
pub(crate) mod tally;
#[cfg(test)]
mod tests;
pub(crate) mod worker;
