//! The flag that sets the margin of equality.

use clap::Args;

use crate::cmd::percent::percent;

/// How large a difference counts as none.
#[derive(Args, Debug)]
pub(crate) struct MarginArgs {
    /// Figures are equal if the whole interval of their ratio shows that they
    /// differ by no more than PERCENT
    #[arg(long, value_name = "PERCENT", default_value = "3%",
          value_parser = percent)]
    pub(crate) margin: f64,
}
