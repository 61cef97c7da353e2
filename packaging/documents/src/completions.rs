//! What a shell completes after `stayput`.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use stayput::admin::cli::Cli;

use crate::Result;

/// Each shell, and where Debian has it look.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/stayput"),
    (Shell::Zsh, "zsh/vendor-completions/_stayput"),
    (Shell::Fish, "fish/vendor_completions.d/stayput.fish"),
];

/// Writes the completions into `folder`/share, as they lie below /usr/share.
///
/// # Errors
/// What the filesystem says.
pub fn write(folder: &Path) -> Result {
    for (shell, path) in SHELLS {
        let path = folder.join("share").join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, completions(shell))?;
    }
    Ok(())
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    generate(shell, &mut Cli::command(), "stayput", &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_commands_and_their_options() {
        for (shell, _) in SHELLS {
            let text = String::from_utf8(completions(shell)).unwrap();
            for word in ["uninstall", "destroy-original", "from-stick"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }
}
