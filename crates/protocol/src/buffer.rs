use std::ops::{Deref, DerefMut};

/// How many bytes of input, and how many of replies, a conversation has room
/// for at first, which is what an idle client costs.
pub const BUFFER_BYTES_MIN: usize = 256;

/// How many it has room for while its client sends more at a time: the most
/// that a greedy client can hold. A system call is dear beside a short
/// request; with 256 bytes, one was needed for each hundred of them.
pub const BUFFER_BYTES_MAX: usize = 4096;

/// Bytes, as many as there is need for: few or many.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new() -> Buffer {
        Buffer(vec![0; BUFFER_BYTES_MIN])
    }

    pub(crate) fn is_large(&self) -> bool {
        self.0.len() == BUFFER_BYTES_MAX
    }

    /// Makes it large or small. What is beyond the small size is lost.
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
