//! `compare faulty`: a server with a known fault, to test the instrument.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::load::faulty::{Behaviour, Fault, serve};

/// The arguments of `compare faulty`, a server that conforms to the protocol
/// until its fault occurs.
#[derive(Args, Debug)]
pub(crate) struct Faulty {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The first start, as counted by --starts, in which it has its fault
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    from_start: u64,
    /// A file that counts the starts; each start appends a byte
    #[arg(long, value_name = "FILE")]
    starts: Option<PathBuf>,
    #[command(flatten)]
    behaviour: Behaviour,
}

impl Faulty {
    /// Serves until it is killed.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut behaviour = self.behaviour;
        if self.start_number()? < self.from_start {
            behaviour.fault = Fault::None;
        }
        if behaviour.fault == Fault::Start {
            anyhow::bail!("known fault: it does not start");
        }
        let listener = TcpListener::bind(self.listen)
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        println!("listening on {} (faulty)", listener.local_addr()?);
        serve(&listener, behaviour)?;
        Ok(())
    }

    /// Returns the number of this start; the first is 1.
    fn start_number(&self) -> anyhow::Result<u64> {
        let Some(path) = &self.starts else { return Ok(1) };
        let mut file = File::options().create(true).append(true).open(path)?;
        file.write_all(b"!")?;
        Ok(file.metadata()?.len())
    }
}
