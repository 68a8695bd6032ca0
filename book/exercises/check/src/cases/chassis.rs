//! To be written.

use crate::exercise::Case;

pub(crate) const CASES: &[Case] = &[];
