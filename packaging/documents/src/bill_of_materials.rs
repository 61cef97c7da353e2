//! The bill of materials of both programs, as CycloneDX writes it (version 1.5, JSON):
//! every crate that is compiled into one of them, with its licence and its digest, and
//! the libraries that the compiler and the linker add.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::Result;
use crate::toolchain::{self, Library};

/// A crate and what stands in Cargo.toml of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    license: String,
}

/// The crates of a program, each with those that it uses itself.
type Graph = BTreeMap<Crate, BTreeSet<Crate>>;

/// Writes `folder`/sbom.cdx.json for programs that are built for `target`.
///
/// # Errors
/// When cargo or the filesystem says so.
pub fn write(folder: &Path, target: &str) -> Result {
    let command = graph(&tree(target, &[])?)?;
    let stage = graph(&tree(target, &["--no-default-features"])?)?;
    let digests = digests(&fs::read_to_string("Cargo.lock")?);
    let bill = bill(&command, &stage, &digests, &toolchain::libraries(target)?)?;
    let text = format!("{}\n", serde_json::to_string_pretty(&bill)?);
    Ok(fs::write(folder.join("sbom.cdx.json"), text)?)
}

/// What cargo compiles into a program: without procedural macros, and without what is
/// for tests.
fn tree(target: &str, features: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--package",
            "stayput",
            "--target",
            target,
        ])
        .args([
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "depth",
            "--no-dedupe",
        ])
        .args(["--format", " {p}|{l}"])
        .args(features)
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// Reads lines such as `1 zeroize v1.9.0|MIT OR Apache-2.0`: the depth in the tree, the
/// crate, its licence.
fn graph(tree: &str) -> Result<Graph> {
    let mut graph = Graph::new();
    let mut above: Vec<Crate> = Vec::new();
    for line in tree.lines() {
        let (depth, used) = read_line(line).ok_or_else(|| format!("cargo tree: {line}"))?;
        above.truncate(depth);
        if let Some(user) = above.last() {
            graph.entry(user.clone()).or_default().insert(used.clone());
        }
        graph.entry(used.clone()).or_default();
        above.push(used);
    }
    Ok(graph)
}

fn read_line(line: &str) -> Option<(usize, Crate)> {
    let (depth, rest) = line.split_once(' ')?;
    let (package, license) = rest.split_once('|')?;
    let mut words = package.split(' ');
    let used = Crate {
        name: words.next()?.into(),
        version: words.next()?.strip_prefix('v')?.into(),
        // What older crates write.
        license: license.replace('/', " OR "),
    };
    Some((depth.parse().ok()?, used))
}

/// SHA-256 of each crate's archive, by name and version.
fn digests(lock: &str) -> BTreeMap<(String, String), String> {
    let packages = lock.split("[[package]]").skip(1);
    let digests = packages.filter_map(|package| {
        let value = |key: &str| {
            let mut lines = package.lines();
            let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            value.map(|value| value.trim_matches('"').to_owned())
        };
        Some(((value("name")?, value("version")?), value("checksum")?))
    });
    digests.collect()
}

fn bill(
    command: &Graph,
    stage: &Graph,
    digests: &BTreeMap<(String, String), String>,
    libraries: &[Library],
) -> Result<Value> {
    let is_own = |used: &&Crate| used.name == "stayput";
    let own = command.keys().find(is_own).ok_or("stayput is not in it")?;
    let mut components = Vec::new();
    for used in command.keys().filter(|used| !is_own(used)) {
        let key = (used.name.clone(), used.version.clone());
        let digest = digests
            .get(&key)
            .ok_or_else(|| format!("no digest: {used:?}"))?;
        components.push(json!({
            "type": "library",
            "bom-ref": purl(used),
            "name": used.name,
            "version": used.version,
            "purl": purl(used),
            "licenses": [{ "expression": used.license }],
            "hashes": [{ "alg": "SHA-256", "content": digest }],
            "properties": [{
                "name": "stayput:in-the-boot-stage",
                "value": stage.contains_key(used).to_string(),
            }],
        }));
    }
    components.extend(libraries.iter().map(|library| {
        json!({
            "type": "library",
            "bom-ref": library.purl,
            "name": library.name,
            "version": library.version,
            "purl": library.purl,
            "licenses": [{ "expression": library.license }],
            "properties": [{ "name": "stayput:in-the-boot-stage", "value": "true" }],
        })
    }));
    let dependencies = command.iter().map(|(used, uses)| {
        let mut uses: Vec<String> = uses.iter().map(purl).collect();
        if used == own {
            uses.extend(libraries.iter().map(|library| library.purl.clone()));
        }
        json!({ "ref": purl(used), "dependsOn": uses })
    });
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": purl(own),
                "name": own.name,
                "version": own.version,
                "purl": purl(own),
                "licenses": [{ "expression": own.license }],
            },
        },
        "components": components,
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

/// The name by which package databases know a crate.
fn purl(used: &Crate) -> String {
    format!("pkg:cargo/{}@{}", used.name, used.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0 stayput v0.1.0 (/somewhere)|MIT OR Apache-2.0\n\
                        1 nix v0.31.1|MIT\n2 libc v0.2.1|MIT/Apache-2.0\n\
                        1 clap v4.6.7|MIT OR Apache-2.0\n2 libc v0.2.1|MIT/Apache-2.0\n";
    const STAGE: &str = "0 stayput v0.1.0 (/somewhere)|MIT\n1 nix v0.31.1|MIT\n\
                         2 libc v0.2.1|MIT/Apache-2.0\n";
    const LOCK: &str = "[[package]]\nname = \"nix\"\nversion = \"0.31.1\"\nchecksum = \"aa\"\n\
                        [[package]]\nname = \"libc\"\nversion = \"0.2.1\"\nchecksum = \"bb\"\n\
                        [[package]]\nname = \"clap\"\nversion = \"4.6.7\"\nchecksum = \"cc\"\n";

    #[test]
    fn a_crate_stands_once_with_licence_digest_and_users() {
        let [command, stage] = [TREE, STAGE].map(|tree| graph(tree).unwrap());
        let libc = Library {
            name: "glibc".into(),
            version: "2.36-9".into(),
            purl: "pkg:deb/debian/glibc@2.36-9".into(),
            license: "LGPL-2.1-or-later",
        };
        let bill = bill(&command, &stage, &digests(LOCK), &[libc]).unwrap();
        let components = bill["components"].as_array().unwrap();
        assert_eq!(components.len(), 4);
        let find = |name: &str| components.iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(
            find("libc")["licenses"][0]["expression"],
            "MIT OR Apache-2.0"
        );
        assert_eq!(find("libc")["hashes"][0]["content"], "bb");
        assert_eq!(find("nix")["properties"][0]["value"], "true");
        assert_eq!(find("clap")["properties"][0]["value"], "false");
        assert_eq!(find("glibc")["version"], "2.36-9");
        let users = bill["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| {
                let uses = one["dependsOn"].as_array().unwrap();
                uses.contains(&"pkg:cargo/libc@0.2.1".into())
            });
        assert_eq!(users.count(), 2);
    }

    #[test]
    fn a_crate_without_a_digest_is_told_of() {
        let graph = graph(TREE).unwrap();
        assert!(bill(&graph, &graph, &BTreeMap::new(), &[]).is_err());
    }

    #[test]
    fn lines_that_cargo_does_not_write_are_told_of() {
        assert!(graph("no depth|MIT\n").is_err());
        assert!(graph("0 stayput 0.1.0|MIT\n").is_err());
    }
}
