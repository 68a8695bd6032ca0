//! The data types that the other folders share: contestants, scenarios, claims
//! and budgets, which are read from files; the load generator's plan and
//! report; and the record of a run.

pub(crate) mod bounded;
pub(crate) mod budgets;
pub(crate) mod calibration;
pub(crate) mod claims;
pub(crate) mod contestant;
pub(crate) mod contestants;
mod duration;
pub(crate) mod faults;
pub(crate) mod fibonacci;
pub(crate) mod figure;
pub(crate) mod invocation;
pub(crate) mod load_plan;
pub(crate) mod load_report;
pub(crate) mod machine;
pub(crate) mod mix;
mod optional_duration;
pub(crate) mod placement;
pub(crate) mod provenance;
pub(crate) mod reading;
pub(crate) mod record;
pub(crate) mod runs;
pub(crate) mod scenarios;
pub(crate) mod selection;
pub(crate) mod times;
