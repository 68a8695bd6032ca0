//! The cases of each exercise.

pub(crate) mod async_std;
pub(crate) mod blocking;
pub(crate) mod chassis;
pub(crate) mod choosing;
pub(crate) mod claims;
pub(crate) mod coroutines;
pub(crate) mod coroutines_pool;
pub(crate) mod measuring;
pub(crate) mod mio;
pub(crate) mod mio_pool;
pub(crate) mod processes;
pub(crate) mod protocol;
pub(crate) mod python;
pub(crate) mod results;
pub(crate) mod smol;
pub(crate) mod threads;
pub(crate) mod tokio;
pub(crate) mod yours;
