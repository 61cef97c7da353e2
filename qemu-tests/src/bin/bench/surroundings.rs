//! What the figures were measured on.

use qemu_tests::{Result, accelerator, run};

use crate::images::Images;

pub struct Surroundings {
    /// Year, month, day.
    pub date: String,
    pub processor: String,
    pub cores: usize,
    /// How many processes wanted a core before the first boot, over a minute.
    pub load: String,
    pub qemu: String,
    /// QEMU's word for how it runs the guest.
    pub accelerator: &'static str,
    pub kernel: String,
    /// "name version" of the packages.
    pub packages: Vec<String>,
}

impl Surroundings {
    pub fn seen(images: &Images) -> Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']));
        let load = std::fs::read_to_string("/proc/loadavg")?;
        let qemu = run("qemu-system-x86_64", &["--version"])?;
        Ok(Self {
            date: run("date", &["-u", "+%Y-%m-%d"])?.trim().to_string(),
            processor: model.unwrap_or("an unknown processor").to_string(),
            cores: std::thread::available_parallelism()?.get(),
            load: load.split(' ').next().unwrap_or_default().to_string(),
            qemu: qemu.lines().next().unwrap_or_default().to_string(),
            accelerator: accelerator(),
            kernel: images.kernel_version()?,
            packages: images.versions()?,
        })
    }

    pub fn emulated(&self) -> bool {
        self.accelerator != "kvm"
    }
}
