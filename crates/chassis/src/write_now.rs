//! Writing to a stream whose reader may have stopped reading.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, ReadWriteFlags, pwritev2, write};

/// How many bytes a pipe takes as a whole if it is writable; see pipe(7).
const PIPE_BYTES_MIN: usize = 4_096;

/// The offset that means the current position; see pwritev2(2).
const HERE: u64 = u64::MAX;

/// Held while a line is written: no other thread must use the room that was
/// found for it.
static WRITER: Mutex<()> = Mutex::new(());

/// Writes a line if there is room for it, and never waits. A line of more than
/// 4 KiB is truncated.
///
/// A descriptor that other processes share must not be made non-blocking, so
/// this asks for room first. A pipe could be filled by another process in the
/// meantime, so the write itself must not wait either, where the kernel has
/// that (`RWF_NOWAIT`).
///
/// # Errors
///
/// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or the error of
/// the write.
pub(crate) fn write_now(stream: impl AsFd, line: &[u8]) -> io::Result<()> {
    let _writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    if !has_room(&stream) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let line = &line[..line.len().min(PIPE_BYTES_MIN)];
    let file_type = fstat(&stream).map(|s| FileType::from_raw_mode(s.st_mode));
    let written = match file_type {
        Ok(FileType::Fifo) => {
            let slices = [IoSlice::new(line)];
            pwritev2(&stream, &slices, HERE, ReadWriteFlags::NOWAIT)
        }
        _ => Err(Errno::OPNOTSUPP),
    };
    match written {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write(&stream, line)?,
        written => written?,
    };
    Ok(())
}

/// Returns `true` if a write to the stream would not wait, even if it would
/// fail.
pub(crate) fn has_room(stream: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&stream, PollFlags::OUT)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_full_pipe_refuses_a_line_until_it_is_read() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut lines = 0;
        let error = loop {
            match write_now(&writer, &[b'x'; PIPE_BYTES_MIN]) {
                Ok(()) => lines += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(lines > 0);
        assert!(!has_room(&writer));
        reader.read_exact(&mut vec![0; lines * PIPE_BYTES_MIN]).unwrap();
        write_now(&writer, b"a line\n").unwrap();
        let mut line = [0; 7];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"a line\n");
    }

    #[test]
    fn a_pipe_without_a_reader_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let error = write_now(&writer, b"a line\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
