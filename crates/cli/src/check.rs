//! What needs no server: `dandori definition lint` and `dandori definition test`.

pub mod words;
pub mod lint;
pub mod test;

use crate::args;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::output::Out;

pub fn run(out: &Out, command: &args::Check) -> Result<Exit, Fault> {
    match command {
        args::Check::Lint(command) => lint::run(out, command),
        args::Check::Test(command) => test::run(out, command),
    }
}
