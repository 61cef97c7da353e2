//! What an image of initramfs-tools holds of the boot stage. Pure.

use super::InstalledCopy;
use super::network::ImageNetwork;
use super::order::{self, ORDER, scripts, touches_disks};
use super::tree::{Node, Tree};
use crate::admin::boot_files;

const SCRIPT: &str = "scripts/init-premount/stayput";

/// Whether the content of this file is looked at.
pub fn is_of_interest(path: &str) -> bool {
    path.starts_with("scripts/") || path.starts_with("conf/")
}

/// The script that runs the stage.
pub fn files(image: &Tree) -> InstalledCopy {
    match image.get(SCRIPT).is_some_and(Node::is_program) {
        true => InstalledCopy::of_text(image, SCRIPT, boot_files::SCRIPT.text),
        false => InstalledCopy::Missing,
    }
}

/// Scripts that run before the stage and touch disks; `None` where it is not run.
pub fn before(image: &Tree) -> Option<Vec<String>> {
    let mut earlier = earlier_scripts(image)?;
    earlier.retain(|path| touches_disks(&image.text(path)));
    Some(earlier)
}

/// The network that the image sets up.
pub fn network(image: &Tree, command_line: &str) -> ImageNetwork {
    let scripts: Vec<String> = earlier_scripts(image)
        .unwrap_or_default()
        .iter()
        .map(|path| image.text(path))
        .collect();
    let mut configuration = image.text("conf/initramfs.conf");
    for name in image.below("conf/conf.d") {
        configuration += "\n";
        configuration += &image.text(&format!("conf/conf.d/{name}"));
    }
    let functions = image.text("scripts/functions");
    ImageNetwork::of(&scripts, &functions, &configuration, command_line)
}

/// An image that runs the stage.
#[cfg(feature = "fuzzing")]
pub fn as_installed() -> Tree {
    let mut image = Tree::default();
    let order = format!("/{SCRIPT} \"$@\"\n");
    let (mode, content) = (0o100_644, Some(order.as_bytes().into()));
    let path = format!("scripts/init-premount/{ORDER}");
    image.put(&path, Node { mode, content });
    image
}

/// Scripts that run before the stage; `None` where that is not run.
fn earlier_scripts(image: &Tree) -> Option<Vec<String>> {
    let order = |folder: &str| image.text(&format!("scripts/{folder}/{ORDER}"));
    let mut earlier = scripts(&order("init-top"));
    earlier.extend(order::before(&order("init-premount"), SCRIPT)?);
    Some(earlier)
}
