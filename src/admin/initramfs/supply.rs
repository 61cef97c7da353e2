//! `stayput initramfs-modules`: which kernel modules the boot stage needs, for
//! the hook that puts them into an initramfs. It goes by the rule by which
//! `stayput check` misses them.

use super::inspect::{kernel_modules, needs};
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Problem, Result};
use crate::vault::locate;

#[derive(clap::Args, Clone, Debug)]
pub struct ModulesOptions {
    /// The kernel's version, as `uname -r` says it
    version: String,
    /// Only what the place cannot be seen without, or the vault not be read
    #[arg(long)]
    vital: bool,
}

/// Prints a module a line. What this kernel has no module for is said on the
/// error output and stops nothing: a kernel without an initramfs would be worse.
///
/// # Errors
/// When the kernel's list of modules cannot be read.
pub fn run(options: &ModulesOptions) -> Result<()> {
    let version = &options.version;
    let modules = kernel_modules(version).map_err(|error| {
        Problem::failed(
            format!("The modules of the kernel {version} are not known: {error}"),
            format!("depmod {version}"),
        )
    })?;
    // Without a vault yet, it is on no disk.
    let disk = vault_conf().ok().and_then(|conf| locate::disk_of(&conf));
    let mut needs = needs(disk.as_deref());
    needs.retain(|need| need.vital || !options.vital);
    let (modules, missing) = modules.supply(&needs);
    for module in modules {
        println!("{module}");
    }
    for missing in missing {
        eprintln!(
            "W: stayput: the kernel {version} has no module {} ({}). Before you start this \
             kernel: install the package that has it, then run stayput check.",
            missing.module, missing.device
        );
    }
    Ok(())
}
