//! Images of USB sticks, made without mounting anything.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::failure::run;
use crate::{Failure, Result, Scratch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    Vfat,
    /// Nothing is put on it here, and nothing is read: no tool does that without
    /// mounting it.
    Exfat,
    Ext4,
}

/// One stick: 64 MiB in a file of its own.
pub struct Stick {
    image: PathBuf,
    /// Where the filesystem begins, in bytes.
    offset: u64,
    filesystem: Option<Filesystem>,
    _scratch: Scratch,
}

const SIZE_MIB: u64 = 64;
const PARTITION_OFFSET: u64 = 1024 * 1024;

impl Stick {
    /// As shops sell them: one partition with this filesystem.
    pub fn partitioned(filesystem: Filesystem) -> Result<Self> {
        Self::formatted(filesystem, PARTITION_OFFSET)
    }

    /// The filesystem on the whole device, without a partition table.
    pub fn whole_disk(filesystem: Filesystem) -> Result<Self> {
        Self::formatted(filesystem, 0)
    }

    /// Pulled out while a file on it was open and deleted: ext4 on the whole
    /// device, with that file in its list of orphans and a journal to replay.
    pub fn with_orphan() -> Result<Self> {
        let stick = Self::whole_disk(Filesystem::Ext4)?;
        stick.leave_orphan()?;
        Ok(stick)
    }

    /// Makes its ext4 look as if it was pulled out while a file on it was open and
    /// deleted: see [`Stick::with_orphan`].
    pub fn leave_orphan(&self) -> Result {
        let stick = self;
        stick.write("temporary", &[7; 300_000])?;
        let about = stick.debugfs("stat temporary", false)?;
        let inode = about.split_whitespace().nth(1);
        let inode = inode.ok_or_else(|| Failure::new(format!("no inode: {about}")))?;
        for request in [
            "unlink temporary",
            &format!("set_inode_field <{inode}> links_count 0"),
            &format!("set_super_value last_orphan {inode}"),
            "feature needs_recovery",
        ] {
            stick.debugfs(request, true)?;
        }
        Ok(())
    }

    /// Puts the top directory of its ext4 back as it was in an earlier copy: what
    /// the journal has not brought to its place yet when the power goes.
    pub fn lose_top_directory_since(&self, earlier: &Self) -> Result {
        let number = |text: &str| {
            let digits = text.split_whitespace().next_back();
            let number = digits.and_then(|digits| digits.parse::<u64>().ok());
            number.ok_or_else(|| Failure::new(format!("no number: {text}")))
        };
        let about = self.debugfs("stats", false)?;
        let size = about.lines().find(|line| line.starts_with("Block size:"));
        let size = number(size.unwrap_or_default())?;
        let at = self.offset + size * number(&self.debugfs("blocks <2>", false)?)?;
        let mut block = vec![0; size as usize];
        std::fs::File::open(&earlier.image)?.read_exact_at(&mut block, at)?;
        let image = std::fs::OpenOptions::new().write(true).open(&self.image)?;
        Ok(image.write_all_at(&block, at)?)
    }

    /// Nothing but zeros.
    pub fn empty() -> Result<Self> {
        Self::blank()
    }

    /// As Windows formats what stays in its own world.
    pub fn ntfs() -> Result<Self> {
        let stick = Self::blank()?;
        let mut sector = vec![0; 512];
        sector[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
        sector[510..].copy_from_slice(b"\x55\xaa");
        std::fs::write(&stick.image, sector)?;
        run("truncate", &["-s", &format!("{SIZE_MIB}M"), &stick.path()])?;
        Ok(stick)
    }

    /// Nothing on it that any system knows.
    pub fn noise() -> Result<Self> {
        let stick = Self::blank()?;
        let mut noise = vec![0; 4 * 1024 * 1024];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut noise)?;
        std::fs::write(&stick.image, noise)?;
        run("truncate", &["-s", &format!("{SIZE_MIB}M"), &stick.path()])?;
        Ok(stick)
    }

    /// A copy, as it is now.
    pub fn copy(&self) -> Result<Self> {
        let copy = Self::blank()?;
        std::fs::copy(&self.image, &copy.image)?;
        Ok(Self {
            offset: self.offset,
            filesystem: self.filesystem,
            ..copy
        })
    }

    /// A stick with a copy of this image, whatever is on it.
    pub fn of_image(image: &Path) -> Result<Self> {
        let stick = Self::blank()?;
        std::fs::copy(image, &stick.image)?;
        Ok(stick)
    }

    /// A copy of a stick that was kept: vfat in a partition.
    pub(crate) fn from_kept(image: &Path) -> Result<Self> {
        Ok(Self {
            offset: PARTITION_OFFSET,
            filesystem: Some(Filesystem::Vfat),
            ..Self::of_image(image)?
        })
    }

    fn blank() -> Result<Self> {
        let scratch = Scratch::new()?;
        let image = scratch.join("stick.img");
        std::fs::File::create(&image)?.set_len(SIZE_MIB * 1024 * 1024)?;
        Ok(Self {
            image,
            offset: 0,
            filesystem: None,
            _scratch: scratch,
        })
    }

    fn formatted(filesystem: Filesystem, offset: u64) -> Result<Self> {
        let stick = Self {
            offset,
            filesystem: Some(filesystem),
            ..Self::blank()?
        };
        let path = stick.path();
        if offset != 0 {
            let kind = match filesystem {
                Filesystem::Vfat | Filesystem::Exfat => "--typecode=1:0700",
                Filesystem::Ext4 => "--typecode=1:8300",
            };
            run("sgdisk", &["--clear", "--new=1:2048:0", kind, &path])?;
        }
        // In KiB; one MiB is left behind for the second partition table.
        let blocks = format!("{}", (SIZE_MIB * 1024 * 1024 - 2 * offset) / 1024);
        match filesystem {
            Filesystem::Vfat => {
                let sector = format!("{}", offset / 512);
                let blocks = if offset == 0 {
                    vec![]
                } else {
                    vec![blocks.as_str()]
                };
                let mut args = vec!["--offset", &sector, "-n", "STICK", "-I", &path];
                args.extend(blocks);
                run("mkfs.vfat", &args)?;
            }
            Filesystem::Exfat => {
                // It knows no offset.
                let volume = stick.image.with_extension("volume");
                std::fs::File::create(&volume)?.set_len(SIZE_MIB * 1024 * 1024 - 2 * offset)?;
                let volume = volume.display().to_string();
                run("mkfs.exfat", &["-L", "STICK", &volume])?;
                let (from, to) = (format!("if={volume}"), format!("of={path}"));
                let at = format!("seek={offset}");
                let copy = [
                    &from,
                    &to,
                    "bs=1M",
                    &at,
                    "oflag=seek_bytes",
                    "conv=notrunc,sparse",
                ];
                run("dd", &copy)?;
                std::fs::remove_file(&volume)?;
            }
            Filesystem::Ext4 => {
                let at = format!("offset={offset}");
                run(
                    "mkfs.ext4",
                    &["-q", "-F", "-E", &at, &path, &format!("{blocks}k")],
                )?;
            }
        }
        Ok(stick)
    }

    pub fn image(&self) -> &Path {
        &self.image
    }

    /// Where the filesystem begins, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Puts a file on the stick; its directory must be at most one deep.
    pub fn write(&self, path: &str, content: &[u8]) -> Result {
        let source = self.image.with_extension("file");
        std::fs::write(&source, content)?;
        let source = source.display().to_string();
        let directory = path.rsplit_once('/').map(|(directory, _)| directory);
        match self.known_filesystem()? {
            Filesystem::Vfat => {
                if let Some(directory) = directory {
                    // It may be there already.
                    let _ = self.mtool("mmd", &[&format!("::{directory}")]);
                }
                self.mtool("mcopy", &["-o", &source, &format!("::{path}")])?;
            }
            Filesystem::Exfat => return Err(Self::closed()),
            Filesystem::Ext4 => {
                if let Some(directory) = directory {
                    self.debugfs(&format!("mkdir {directory}"), true)?;
                }
                self.debugfs(&format!("rm {path}"), true)?;
                self.debugfs(&format!("write {source} {path}"), true)?;
            }
        }
        Ok(())
    }

    /// The names of the files in a directory of the stick.
    pub fn list(&self, directory: &str) -> Result<Vec<String>> {
        let text = match self.known_filesystem()? {
            Filesystem::Vfat => self.mtool("mdir", &["-b", &format!("::{directory}")])?,
            Filesystem::Exfat => return Err(Self::closed()),
            Filesystem::Ext4 => self.debugfs(&format!("ls -p {directory}"), false)?,
        };
        let names = text.lines().filter_map(|line| {
            let name = match self.filesystem {
                Some(Filesystem::Ext4) => line.split('/').nth(5)?,
                _ => line.rsplit('/').find(|part| !part.is_empty())?,
            };
            (!name.is_empty() && name != "." && name != "..").then(|| name.to_string())
        });
        Ok(names.collect())
    }

    /// The content of a file on the stick.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let target = self.image.with_extension("out");
        let _ = std::fs::remove_file(&target);
        let name = target.display().to_string();
        match self.known_filesystem()? {
            Filesystem::Vfat => self.mtool("mcopy", &[&format!("::{path}"), &name])?,
            Filesystem::Exfat => return Err(Self::closed()),
            Filesystem::Ext4 => self.debugfs(&format!("dump {path} {name}"), false)?,
        };
        Ok(std::fs::read(&target)?)
    }

    fn known_filesystem(&self) -> Result<Filesystem> {
        self.filesystem
            .ok_or_else(|| Failure::new("this stick has no filesystem"))
    }

    fn closed() -> Failure {
        Failure::new("only a guest reads and writes exFAT")
    }

    fn path(&self) -> String {
        self.image.display().to_string()
    }

    fn mtool(&self, tool: &str, args: &[&str]) -> Result<String> {
        let image = format!("{}@@{}", self.path(), self.offset);
        let mut all = vec!["-i", &image];
        all.extend(args);
        run(tool, &all)
    }

    fn debugfs(&self, request: &str, write: bool) -> Result<String> {
        let image = format!("{}?offset={}", self.path(), self.offset);
        let mut args = vec!["-R", request, &image];
        if write {
            args.insert(0, "-w");
        }
        run("debugfs", &args)
    }
}
