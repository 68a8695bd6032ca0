//! A byte buffer of two sizes.

use std::ops::{Deref, DerefMut};

/// The initial size of a conversation's input buffer and of its output buffer,
/// which determines the cost of an idle client.
pub const BUFFER_BYTES_MIN: usize = 256;

/// The size of these buffers while the client sends more at a time: the most
/// memory that a greedy client can use. A system call is expensive compared
/// with a short request; with 256 bytes, one was needed for each hundred.
pub const BUFFER_BYTES_MAX: usize = 4096;

/// A buffer that is either small or large.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new() -> Buffer {
        Buffer(vec![0; BUFFER_BYTES_MIN])
    }

    pub(crate) fn is_large(&self) -> bool {
        self.0.len() == BUFFER_BYTES_MAX
    }

    /// Makes the buffer large or small. Shrinking drops the bytes beyond the
    /// small size.
    #[inline]
    pub(crate) fn make_large(&mut self, large: bool) {
        if large != self.is_large() {
            self.resize(large);
        }
    }

    #[cold]
    fn resize(&mut self, large: bool) {
        if large {
            self.0.reserve_exact(BUFFER_BYTES_MAX - BUFFER_BYTES_MIN);
            self.0.resize(BUFFER_BYTES_MAX, 0);
        } else {
            self.0.truncate(BUFFER_BYTES_MIN);
            self.0.shrink_to_fit();
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
