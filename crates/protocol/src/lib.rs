//! The wire protocol of the ten servers, without I/O: turns received bytes
//! into requests, and replies into bytes to send.
//!
//! A request is a line with a number n; its reply is a line with the n-th
//! Fibonacci number, computed by naive recursion: the cost is the point.
//!
//! [`Conversation`] is all that a server needs. It returns what one client's
//! conversation waits for, as the next [`Step`]. The ten servers differ in how
//! they wait for it.
//!
//! ```
//! use protocol::{Conversation, Framing, Step};
//!
//! let mut conversation = Conversation::new(Framing::Line, 45);
//! let mut replies = Vec::new();
//! let mut requests: &[u8] = b"10\n20\nten\n";
//! loop {
//!     match conversation.next_step() {
//!         Step::Read(space) => {
//!             let count = std::io::Read::read(&mut requests, space)?;
//!             conversation.received(count);
//!         }
//!         Step::Compute(request) => conversation.reply(request.compute()),
//!         Step::Write(bytes) => {
//!             replies.extend_from_slice(bytes);
//!             let count = bytes.len();
//!             conversation.sent(count);
//!         }
//!         Step::Close => break,
//!     }
//! }
//! assert_eq!(replies, b"55\n6765\nerror: not-a-number\n");
//! # Ok::<(), std::io::Error>(())
//! ```

mod buffer;
mod conversation;
mod decoder;
mod fib;
mod reply;
mod request;

pub use buffer::{BUFFER_BYTES_MAX, BUFFER_BYTES_MIN};
pub use conversation::{Conversation, Step};
pub use decoder::{Decoder, Framing, LINE_BYTES_MAX};
pub use fib::fib;
pub use reply::{Error, REPLY_BYTES_MAX, Reply};
pub use request::{N_MAX, N_MAX_DEFAULT, Request};
