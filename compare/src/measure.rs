//! Measuring: builds and starts servers, calibrates costs, assigns processors,
//! and measures each cell. The result is a record.

pub(crate) mod build;
pub(crate) mod calibration;
mod calibrator;
pub(crate) mod cell;
pub(crate) mod clients;
pub(crate) mod counts;
pub(crate) mod duration;
pub(crate) mod failure;
pub(crate) mod further;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod options;
pub(crate) mod plan;
pub(crate) mod processors;
pub(crate) mod programs;
pub(crate) mod progress;
pub(crate) mod rounds;
mod session;
mod surroundings;
mod system_calls;
