//! Exit codes and usage errors, Ctrl-C, stdout, limits and the workspace's
//! folder. Every other folder may use these; none of them depends on measuring.

pub(crate) mod exit;
pub(crate) mod interrupt;
pub(crate) mod limits;
pub(crate) mod stdout;
pub(crate) mod workspace;
