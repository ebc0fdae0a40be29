//! `highwater inspect`.

use crate::args::InspectArgs;
use crate::exit::{Done, Failure};

pub(crate) fn inspect(args: &InspectArgs) -> Done {
    Err(Failure::usage(format!("{:?}", (&args.path, args.format))))
}
