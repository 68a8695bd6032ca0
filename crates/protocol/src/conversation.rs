//! One client's conversation, as a sequence of steps.

use crate::buffer::{BUFFER_BYTES_MIN, Buffer};
use crate::decoder::{Decoder, Framing};
use crate::reply::{REPLY_BYTES_MAX, Reply};
use crate::request::Request;

const _: () = assert!(BUFFER_BYTES_MIN >= REPLY_BYTES_MAX);

/// What a conversation waits for. There are no other cases.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// More input. Read into this space (never empty), then call
    /// [`received`](Conversation::received).
    Read(&'a mut [u8]),
    /// The reply to this request. Compute it, here or elsewhere, then call
    /// [`reply`](Conversation::reply).
    Compute(Request),
    /// Room for output. Write some or all of these bytes (never empty), then
    /// call [`sent`](Conversation::sent).
    Write(&'a [u8]),
    /// Nothing: every request is answered, every reply is sent, and no more
    /// input can arrive. Close the connection.
    Close,
}

/// One client's conversation: received bytes, replies to send, and the next
/// step.
///
/// The order of the steps provides back-pressure: input is wanted only after
/// every request is answered and every reply is sent. So the server soon stops
/// reading from a client that doesn't read, memory is bounded, and requests
/// are answered one at a time and in order.
///
/// A conversation makes no system call and reads no clock. It allocates when a
/// client starts or stops sending many requests at a time, but not for each
/// request.
#[derive(Debug)]
pub struct Conversation {
    decoder: Decoder,
    /// A request that is decoded, but not yet returned.
    held: Option<Request>,
    output: Buffer,
    /// The replies that are not sent yet are `output[sent..end]`.
    sent: usize,
    end: usize,
    input_ended: bool,
}

impl Conversation {
    /// Creates the conversation of a new client. No n above `n_max` is
    /// computed.
    pub fn new(framing: Framing, n_max: u8) -> Conversation {
        Conversation {
            decoder: Decoder::new(framing, n_max),
            held: None,
            output: Buffer::new(),
            sent: 0,
            end: 0,
            input_ended: false,
        }
    }

    /// Returns what to do next. A step that was not carried out is returned
    /// again, except for [`Step::Compute`], which is returned once.
    #[inline]
    pub fn next_step(&mut self) -> Step<'_> {
        let all_sent = self.sent == self.end;
        let request = self.held.take().or_else(|| self.decoder.next_request());
        if let Some(request) = request {
            if all_sent {
                self.clear_output();
            }
            if all_sent || (self.has_room() && !request.is_long()) {
                return Step::Compute(request);
            }
            self.held = Some(request);
        }
        if !all_sent {
            Step::Write(&self.output[self.sent..self.end])
        } else if self.input_ended {
            Step::Close
        } else {
            self.clear_output();
            Step::Read(self.decoder.space())
        }
    }

    /// Takes the `count` bytes that were read into the space of
    /// [`Step::Read`]. A count of 0 is end-of-file, as for read(2).
    ///
    /// # Panics
    ///
    /// Panics if `count` is larger than the space.
    #[inline]
    pub fn received(&mut self, count: usize) {
        self.decoder.received(count);
        self.input_ended |= count == 0;
    }

    /// Ends the input, as end-of-file does.
    #[inline]
    pub fn end_input(&mut self) {
        self.input_ended = true;
    }

    /// Takes the reply to the request of [`Step::Compute`].
    #[inline]
    pub fn reply(&mut self, reply: Reply) {
        self.end += reply.encode(&mut self.output[self.end..]);
    }

    /// Notes that the first `count` bytes of [`Step::Write`] were written.
    ///
    /// # Panics
    ///
    /// Panics if `count` is larger than the number of bytes to write.
    #[inline]
    pub fn sent(&mut self, count: usize) {
        assert!(count <= self.end - self.sent);
        self.sent += count;
    }

    /// Empties the output buffer, which must be sent, and makes it as large as
    /// the client needs.
    #[inline]
    fn clear_output(&mut self) {
        (self.sent, self.end) = (0, 0);
        self.output.make_large(self.decoder.is_pipelined());
    }

    fn has_room(&self) -> bool {
        self.output.len() - self.end >= REPLY_BYTES_MAX
    }
}
