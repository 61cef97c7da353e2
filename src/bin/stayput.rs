//! The admin command.

use std::process::ExitCode;

use stayput::admin::cli::Cli;

fn main() -> ExitCode {
    if let Some(code) = stayput::stick::run_as_child() {
        return code;
    }
    match Cli::read().run() {
        Ok(code) => code,
        Err(problem) => {
            stayput::admin::cli::tell(&problem);
            ExitCode::from(problem.exit as u8)
        }
    }
}
