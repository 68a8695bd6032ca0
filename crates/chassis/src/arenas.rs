//! How malloc(3) uses address space. One of the two modules of this crate with
//! `unsafe` code.

#![allow(unsafe_code)]

/// Makes all threads allocate from one heap. By default, glibc reserves 64 MiB
/// of address space for each of the first threads, up to eight per core, until
/// a limited address space is used up.
pub(crate) fn limit_to_one() {
    // SAFETY: mallopt(3) only changes parameters of the allocator. It is called
    // before this process has a second thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
