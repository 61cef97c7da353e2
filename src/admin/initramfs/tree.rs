//! The files of an initramfs, as its root directory shows them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::rc::Rc;

const KIND: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// Symbolic links that are followed for one path.
const LINKS_MAX: u8 = 16;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// As of stat(2).
    pub mode: u32,
    /// Of a file that was asked for its content, or a symbolic link its target.
    /// A file with several names has one.
    pub content: Option<Rc<[u8]>>,
}

impl Node {
    fn is_link(&self) -> bool {
        self.mode & KIND == LINK
    }

    /// Whether somebody may run it.
    pub fn is_program(&self) -> bool {
        self.mode & KIND == FILE && self.mode & 0o111 != 0
    }
}

/// All files by their path, without a slash in front. A later archive's replaces an
/// earlier one's, as the kernel unpacks them.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
    /// Bytes that were given as texts.
    given: Cell<usize>,
}

/// What was read of it makes no difference.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

/// Bytes of all texts together that are given: many names may lead to one large file. An image
/// of dracut takes some megabytes.
const TEXTS_MAX: usize = 64 << 20;
/// What a text costs without a byte in it.
const TEXT_COSTS: usize = 64;

impl Tree {
    /// Puts something where the kernel does: links in the path of its folder are followed,
    /// and a folder with something in it stays one. Returns how often that looked into the
    /// tree.
    pub fn put(&mut self, path: &str, node: Node) -> usize {
        let mut looks = 1;
        let path = match path.rsplit_once('/') {
            None => Some(path.to_owned()),
            Some((folder, name)) => self.resolve(folder, 0, &mut looks).map(|folder| {
                format!("{folder}/{name}")
                    .trim_start_matches('/')
                    .to_owned()
            }),
        };
        if let Some(path) = path
            && (node.mode & KIND == FOLDER || !self.has_something_in(&path))
        {
            self.nodes.insert(path, node);
        }
        looks
    }

    fn has_something_in(&self, folder: &str) -> bool {
        let begin = format!("{folder}/");
        let mut paths = self.nodes.range(begin.clone()..);
        paths
            .next()
            .is_some_and(|(path, _)| path.starts_with(&begin))
    }

    /// What is at a path; links are followed, and lead nowhere outside.
    pub fn get(&self, path: &str) -> Option<&Node> {
        let path = self.resolve(path, 0, &mut 0)?;
        self.nodes.get(&path)
    }

    /// The content of a file; `None` where there is none, or it was not kept.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        let node = self.get(path).filter(|node| node.mode & KIND == FILE)?;
        node.content.as_deref()
    }

    /// A text; empty where there is none, and once [`Tree::is_exhausted`].
    pub fn text(&self, path: &str) -> String {
        let bytes = self.content(path).unwrap_or_default();
        let given = self.given.get() + TEXT_COSTS + bytes.len();
        if given > TEXTS_MAX {
            self.given.set(TEXTS_MAX);
            return String::new();
        }
        self.given.set(given);
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// More texts were asked for than are given: what was found out by them is not to be
    /// relied on.
    pub fn is_exhausted(&self) -> bool {
        self.given.get() + TEXT_COSTS > TEXTS_MAX
    }

    /// The paths below a folder, relative to it; links in the folder's own path are
    /// followed.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        let folder = self.resolve(folder, 0, &mut 0);
        let folder = folder.map(|folder| folder + "/");
        folder.into_iter().flat_map(|folder| {
            let paths = self.nodes.range(folder.clone()..);
            paths.map_while(move |(path, _)| path.strip_prefix(folder.as_str()))
        })
    }

    /// The path without links in it. Adds to `looks` how many names it was looked up by.
    fn resolve(&self, path: &str, links: u8, looks: &mut usize) -> Option<String> {
        if links > LINKS_MAX {
            return None;
        }
        let mut real = String::new();
        let mut rest = Path::new(path).components();
        while let Some(component) = rest.next() {
            match component {
                Component::ParentDir => {
                    let parent = real.rfind('/').unwrap_or(0);
                    real.truncate(parent);
                }
                Component::Normal(name) => {
                    *looks += 1;
                    let parent = real.len();
                    if parent > 0 {
                        real.push('/');
                    }
                    real.push_str(name.to_str()?);
                    let Some(node) = self.nodes.get(&real).filter(|node| node.is_link()) else {
                        continue;
                    };
                    let target = str::from_utf8(node.content.as_deref()?).ok()?;
                    real.truncate(parent);
                    let base = if target.starts_with('/') { "" } else { &real };
                    let whole = Path::new(base).join(target.trim_start_matches('/'));
                    let whole = whole.join(rest.as_path());
                    return self.resolve(whole.to_str()?, links + 1, looks);
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Some(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let mut put = |path: &str, mode, content: &str| {
            let content = Some(content.as_bytes().into());
            tree.put(path, Node { mode, content });
        };
        put("usr/lib/modules/6.12/a.ko", FILE | 0o644, "module");
        put("usr/bin/tool", FILE | 0o755, "program");
        put("lib", LINK | 0o777, "usr/lib");
        put("bin", LINK | 0o777, "/usr/bin");
        put("etc/up", LINK | 0o777, "../../../usr/bin/tool");
        put("loop", LINK | 0o777, "loop");
        tree
    }

    #[test]
    fn links_are_followed_inside_the_image() {
        let tree = tree();
        assert_eq!(tree.text("/lib/modules/6.12/a.ko"), "module");
        assert_eq!(tree.text("bin/tool"), "program");
        assert!(tree.get("bin/tool").unwrap().is_program());
        assert_eq!(tree.text("etc/up"), "program", "no way leads out");
        assert_eq!(tree.content("loop"), None);
        assert_eq!(tree.content("lib/none"), None);
    }

    #[test]
    fn a_later_file_is_put_where_a_link_leads() {
        let mut tree = tree();
        let node = |mode| Node {
            mode,
            content: Some(b"other".as_slice().into()),
        };
        tree.put("lib/modules/6.12/a.ko", node(FILE | 0o644));
        assert_eq!(tree.text("usr/lib/modules/6.12/a.ko"), "other");
        tree.put("loop/a", node(FILE | 0o644));
        assert_eq!(tree.content("loop/a"), None);
        // The folder is not empty, and so nothing takes its place.
        tree.put("usr/lib", node(LINK | 0o777));
        assert_eq!(tree.text("usr/lib/modules/6.12/a.ko"), "other");
        // Nobody goes through a link that a folder has replaced.
        tree.put("lib", node(FOLDER | 0o755));
        tree.put("lib/b", node(FILE | 0o644));
        assert_eq!(
            (tree.text("lib/b"), tree.text("usr/lib/b")),
            ("other".into(), String::new())
        );
    }

    #[test]
    fn one_large_file_under_many_names_is_read_a_few_times() {
        let mut tree = Tree::default();
        let content = Some(vec![b'a'; TEXTS_MAX / 4].into());
        let mode = FILE | 0o644;
        tree.put("large", Node { mode, content });
        for _ in 0..3 {
            assert_eq!(tree.text("large").len(), TEXTS_MAX / 4);
        }
        assert!(!tree.is_exhausted());
        assert_eq!(tree.text("large"), "");
        assert!(tree.is_exhausted());
        assert_eq!(tree.text("none"), "", "and it stays so");
        assert!(tree.is_exhausted());
    }

    #[test]
    fn files_below_a_folder_are_listed() {
        let tree = tree();
        let below: Vec<_> = tree.below("lib/modules/6.12").collect();
        assert_eq!(below, ["a.ko"]);
        assert_eq!(tree.below("lib/modules/6.1").count(), 0);
    }
}
