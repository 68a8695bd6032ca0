//! What every other folder may use and that knows nothing of measuring: exit
//! codes and usage errors, Ctrl-C, stdout, limits and the project's folder.

pub(crate) mod exit;
pub(crate) mod interrupt;
pub(crate) mod limits;
pub(crate) mod stdout;
pub(crate) mod workspace;
