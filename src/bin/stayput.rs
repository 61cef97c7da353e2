//! The admin command.

use std::process::ExitCode;

use stayput::admin::cli::Cli;
use stayput::sys::at_end;

fn main() -> ExitCode {
    let child = stayput::stick::run_as_child().or_else(stayput::admin::run_as_child);
    if let Some(code) = child {
        return code;
    }
    // Without it a signal ends the command all the same.
    let _ = at_end::put_back_when_ended();
    let done = Cli::read().run();
    at_end::wait_if_ending();
    match done {
        Ok(code) => code,
        Err(problem) => {
            stayput::admin::cli::tell(&problem);
            ExitCode::from(problem.exit as u8)
        }
    }
}
