//! Exit codes and usage errors, Ctrl-C, stdout, stderr, texts that are safe to
//! print, files, limits and the workspace's folder. Every other folder may use
//! these; none of them depends on measuring.

pub(crate) mod control_group;
pub(crate) mod exit;
pub(crate) mod file;
pub(crate) mod interrupt;
pub(crate) mod limits;
pub(crate) mod printable;
pub(crate) mod stderr;
pub(crate) mod stdout;
pub(crate) mod workspace;
