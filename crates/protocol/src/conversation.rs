use crate::buffer::{BUFFER_BYTES_MIN, Buffer};
use crate::decoder::{Decoder, Framing};
use crate::reply::{REPLY_BYTES_MAX, Reply};
use crate::request::Request;

const _: () = assert!(BUFFER_BYTES_MIN >= REPLY_BYTES_MAX);

/// What a conversation waits for, and there is nothing else that it could
/// wait for.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// More input. Read into this space (never empty), then say
    /// [`received`](Conversation::received).
    Read(&'a mut [u8]),
    /// The answer to this request. Compute it, here or elsewhere, then say
    /// [`reply`](Conversation::reply).
    Compute(Request),
    /// The client to take output. Write these bytes (never empty) or some of
    /// them, then say [`sent`](Conversation::sent).
    Write(&'a [u8]),
    /// Nothing: every request is answered, every reply sent, and no more can
    /// come. Close the connection.
    Close,
}

/// One client's conversation: what came in, what goes out, what is next.
///
/// Back-pressure is in its order: it asks for input only when every request
/// is answered and every reply sent. So a client that does not read is soon
/// not read from, in bounded memory, and requests are answered one at a time
/// and in order.
///
/// It makes no system call and reads no clock. It allocates when a client
/// begins to send many requests at a time, or ceases to; not for each.
#[derive(Debug)]
pub struct Conversation {
    decoder: Decoder,
    /// Decoded, but not yet handed out.
    held: Option<Request>,
    output: Buffer,
    /// The replies that are not sent yet are `output[sent..end]`.
    sent: usize,
    end: usize,
    input_ended: bool,
}

impl Conversation {
    /// A conversation with a client that has said nothing yet. No n above
    /// `n_max` is computed.
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

    /// What to do next. Asked again before the step was done, it gives the
    /// same step again, but for [`Step::Compute`], which it gives once.
    #[inline]
    pub fn next_step(&mut self) -> Step<'_> {
        let all_sent = self.sent == self.end;
        let request = self.held.take().or_else(|| self.decoder.next_request());
        if let Some(request) = request {
            if all_sent {
                self.clear_output();
            }
            if all_sent || (self.has_room() && !request.is_slow()) {
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

    /// Takes `count` bytes, which were read into [`Step::Read`]'s space; 0 is
    /// end-of-file, as for read(2).
    ///
    /// # Panics
    ///
    /// If `count` is more than there was space for.
    #[inline]
    pub fn received(&mut self, count: usize) {
        self.decoder.received(count);
        self.input_ended |= count == 0;
    }

    /// Asks for no more input, as if it had come to its end.
    #[inline]
    pub fn end_input(&mut self) {
        self.input_ended = true;
    }

    /// Takes the answer to the request that [`Step::Compute`] gave.
    #[inline]
    pub fn reply(&mut self, reply: Reply) {
        self.end += reply.encode(&mut self.output[self.end..]);
    }

    /// Notes that the first `count` bytes of [`Step::Write`] are written.
    ///
    /// # Panics
    ///
    /// If `count` is more than there was to write.
    #[inline]
    pub fn sent(&mut self, count: usize) {
        assert!(count <= self.end - self.sent);
        self.sent += count;
    }

    /// Begins anew, when all is sent, with as large a buffer as its client
    /// needs.
    #[inline]
    fn clear_output(&mut self) {
        (self.sent, self.end) = (0, 0);
        self.output.make_large(self.decoder.is_pipelined());
    }

    fn has_room(&self) -> bool {
        self.output.len() - self.end >= REPLY_BYTES_MAX
    }
}
