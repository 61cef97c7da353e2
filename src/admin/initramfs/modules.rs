//! Kernel modules: which are needed, and which an initramfs lacks. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What a device or a filesystem needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// In words, for people.
    pub device: String,
    /// One of these is enough.
    pub modules: Vec<String>,
    /// The device's modalias, for a kernel whose driver has another name.
    pub modalias: Option<String>,
    /// Without it the place cannot be seen, or the vault not be read.
    pub vital: bool,
    /// Nothing is missing where the kernel has no such module: it is built in.
    pub if_known: bool,
}

impl Need {
    /// A need for these modules, whatever their hardware calls itself.
    pub fn of(device: &str, modules: &[&str], vital: bool) -> Self {
        Self {
            device: device.to_owned(),
            modules: modules.iter().map(|module| canonical(module)).collect(),
            modalias: None,
            vital,
            if_known: false,
        }
    }

    fn lacks(&self, module: String) -> Missing {
        Missing {
            module,
            device: self.device.clone(),
            vital: self.vital,
        }
    }
}

/// What every server needs: to ask the neighbours, to read a stick with each of its
/// filesystems, to take a keyboard that is plugged in at the prompt.
pub fn of_every_server() -> Vec<Need> {
    let stick = "backup sticks";
    let mut needs = vec![Need::of("asking the neighbours", &["af_packet"], true)];
    // The charsets are those that vfat asks for by name: no list has them.
    for module in [
        "usb_storage",
        "sd_mod",
        "vfat",
        "nls_cp437",
        "nls_ascii",
        "exfat",
        "ext4",
    ] {
        needs.push(Need::of(stick, &[module], false));
    }
    for module in ["usbhid", "hid_generic"] {
        needs.push(Need::of("USB keyboards", &[module], false));
    }
    needs.push(Need {
        if_known: true,
        ..Need::of("ext4", &["crc32c_generic", "crc32c_intel", "crc32c"], false)
    });
    needs
}

/// A module that is needed and not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its canonical name.
    pub module: String,
    /// What it is needed for.
    pub device: String,
    /// Without it the boot does not open.
    pub vital: bool,
}

/// The kernel's spelling of a module's name, from a file name or a person's
/// spelling.
pub fn canonical(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let bare = file.split(".ko").next().unwrap_or(file);
    bare.replace('-', "_")
}

/// What depmod(8) knows of one kernel's modules.
#[derive(Debug, Default)]
pub struct KernelModules {
    dependencies: BTreeMap<String, Vec<String>>,
    built_in: BTreeSet<String>,
    aliases: String,
}

impl KernelModules {
    /// From modules.dep, modules.builtin and modules.alias.
    pub fn parse(dep: &str, built_in: &str, aliases: String) -> Self {
        let dependencies = dep.lines().filter_map(|line| {
            let (file, needs) = line.split_once(':')?;
            let needs = needs.split_whitespace().map(canonical).collect();
            Some((canonical(file), needs))
        });
        Self {
            dependencies: dependencies.collect(),
            built_in: built_in.lines().map(canonical).collect(),
            aliases,
        }
    }

    fn knows(&self, module: &str) -> bool {
        self.built_in.contains(module) || self.dependencies.contains_key(module)
    }

    /// The modules of this kernel that meet these needs, built-in ones left out,
    /// and what it has no module for.
    pub fn supply(&self, needs: &[Need]) -> (BTreeSet<String>, Vec<Missing>) {
        let (mut modules, mut missing) = (BTreeSet::new(), Vec::new());
        for need in needs {
            let candidates = self.candidates(need);
            if candidates.is_empty()
                && let Some(module) = need.modules.first().filter(|_| !need.if_known)
            {
                missing.push(need.lacks(module.clone()));
            }
            let candidates = candidates.into_iter();
            modules.extend(candidates.filter(|module| !self.built_in.contains(module)));
        }
        (modules, missing)
    }

    /// The needs that an image with these modules does not meet.
    pub fn missing(&self, needs: &[Need], image: &BTreeSet<String>) -> Vec<Missing> {
        let mut missing: Vec<Missing> = Vec::new();
        for need in needs {
            let Some(module) = self.lacking(need, image) else {
                continue;
            };
            match missing.iter_mut().find(|known| known.module == module) {
                Some(known) => known.vital |= need.vital,
                None => missing.push(need.lacks(module)),
            }
        }
        missing
    }

    /// The modules of this kernel any of which meets the need.
    fn candidates(&self, need: &Need) -> Vec<String> {
        let named = need.modules.iter().filter(|module| self.knows(module));
        let named: Vec<String> = named.cloned().collect();
        match named.is_empty() {
            true => {
                let aliases = need.modalias.iter();
                aliases.flat_map(|alias| self.resolve(alias)).collect()
            }
            false => named,
        }
    }

    /// The module that keeps this need from being met.
    fn lacking(&self, need: &Need, image: &BTreeSet<String>) -> Option<String> {
        let candidates = self.candidates(need);
        if candidates.is_empty() {
            return need.modules.first().filter(|_| !need.if_known).cloned();
        }
        let lacks = |module: &String| {
            let there = |name: &&String| self.built_in.contains(*name) || image.contains(*name);
            let below = self.dependencies.get(module).into_iter().flatten();
            std::iter::once(module)
                .chain(below)
                .find(|name| !there(name))
                .cloned()
        };
        let lacked: Vec<Option<String>> = candidates.iter().map(lacks).collect();
        match lacked.iter().any(Option::is_none) {
            true => None,
            false => lacked.into_iter().flatten().next(),
        }
    }

    /// The modules that say that they drive this device.
    fn resolve(&self, modalias: &str) -> Vec<String> {
        let lines = self.aliases.lines().filter_map(|line| {
            let (pattern, module) = line.strip_prefix("alias ")?.rsplit_once(' ')?;
            matches(pattern.as_bytes(), modalias.as_bytes()).then(|| canonical(module))
        });
        lines.collect()
    }
}

/// Patterns as depmod writes them: `*`, `?` and `[0-9a-f]`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // After a failure, one byte more goes to the last `*`.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], text[t]),
            Some(byte) if *byte == text[t] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of the class at the start, when the byte is in it.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().position(|byte| *byte == b']')?;
    let inner = &pattern[1..end];
    let mut at = 0;
    while at < inner.len() {
        let range = inner.get(at + 1) == Some(&b'-') && at + 2 < inner.len();
        let last = if range { inner[at + 2] } else { inner[at] };
        if (inner[at]..=last).contains(&byte) {
            return Some(end + 1);
        }
        at += if range { 3 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests;
